package conformance_test

import (
	"os"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/adaptertest"
)

// engineWith returns the engine with an index of the given form.
func engineWith(form ...tokenstore.Option) conformance.NewEngine {
	return func(secrets driver.Secrets, options ...tokenstore.Option) (*tokenstore.SecretStore, error) {
		return tokenstore.NewSecretStore(secrets, append(options, form...)...)
	}
}

// long asks for runs of minutes, as CI makes them.
var long = os.Getenv("TOKENSTORE_LONG") != ""

// every is how many calls of an operation there are for one that is interrupted.
func every() int {
	if long {
		return 1
	}
	return 6
}

func newMemory(testing.TB) driver.Secrets { return memory.New() }

func TestCrashEntries(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	conformance.Crash(t, newMemory, engineWith(tokenstore.WithEntries()), conformance.CrashOptions{Every: every()})
}

func TestCrashDocument(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	conformance.Crash(t, newMemory, engineWith(tokenstore.WithDocument(1)), conformance.CrashOptions{Every: every(), Fanout: 4})
}

func TestCrashDocument16(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	conformance.Crash(t, newMemory, engineWith(tokenstore.WithDocument(16)), conformance.CrashOptions{Every: every(), Fanout: 3})
}

// TestCrashBatched has a service that reads many secrets with one call, and an
// index without access tokens.
func TestCrashBatched(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	batched := func(testing.TB) driver.Secrets { return memory.New().Batched() }
	engine := engineWith(tokenstore.WithDocument(1), tokenstore.WithoutAccessIndex())
	conformance.Crash(t, batched, engine, conformance.CrashOptions{Every: every(), Fanout: 2})
}

// TestCrashOnly interrupts the operation that is named, and none that comes
// after it.
func TestCrashOnly(t *testing.T) {
	services := 0
	count := func(t testing.TB) driver.Secrets { services++; return newMemory(t) }
	conformance.Crash(t, count, engineWith(tokenstore.WithEntries()), conformance.CrashOptions{Only: []string{"update of nothing"}})
	if most := 10; services > most { // It makes one call.
		t.Errorf("%d services for one operation of one call", services)
	}
}
