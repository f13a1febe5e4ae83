// The engine and its index share data with drivers, and so must not change it.

package enginetest_test

import (
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// TestDataIsImmutable has the engine do everything that it can do, repairs and people's edits
// included, over drivers that notice if anybody changes data, or appends to it in place.
func TestDataIsImmutable(t *testing.T) {
	for name, c := range map[string]struct {
		service func(testing.TB) driver.Secrets
		form    secretstore.Option
	}{
		"entries":   {newConsole, secretstore.WithEntries()},
		"documents": {newBatched, secretstore.WithDocument(4)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := func(t testing.TB) driver.Secrets {
				secrets, frozen := drivertest.Freeze(c.service(t))
				t.Cleanup(func() {
					if err := frozen.Changed(); err != nil {
						t.Error(err)
					}
				})
				return secrets
			}
			enginetest.Model(t, service, engineWith(c.form), enginetest.ModelOptions{Service: consoleService(), Operations: 300})
		})
	}
}
