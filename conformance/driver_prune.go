// The case of driver.Pruner, for services that keep and charge for overwritten versions.

package conformance

import (
	"context"
	"errors"

	"example.com/tokenstore/driver"
)

func driverPruneCases() []DriverCase {
	return []DriverCase{{"prune", "Prune keeps the current version and its revision, and a name that is not stored is not an error", func(t *driverTrial) {
		pruner, ok := driver.As[driver.Pruner](t.secrets)
		if !ok {
			t.lacks("the driver does not implement driver.Pruner")
		}
		prune := func(name string) {
			n, err := pruner.Prune(t.ctx, t.named(name))
			t.must("Prune", err)
			if n < 0 {
				t.fails("Prune destroyed %d versions", n)
			}
		}
		prune("a")
		t.missing("a")
		r := ""
		for _, text := range []string{"1", "2", "3", "4"} {
			r = t.store("a", value(text), r)
		}
		for range 2 {
			prune("a")
			t.holds("a", value("4"), r)
		}
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		if _, err := pruner.Prune(ctx, t.named("a")); !errors.Is(err, context.Canceled) {
			t.fails("Prune with an ended context: %s", safe(err))
		}
		r = t.store("a", value("5"), r)
		t.holds("a", value("5"), r)
		t.lists("", "a")
		t.remove("a", r)
		prune("a")
		t.missing("a")
	}}}
}
