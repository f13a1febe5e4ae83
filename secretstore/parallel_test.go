package secretstore_test

import (
	"testing"

	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// entriesWorld is a service whose stores write the entries of their index at the
// same time.
type entriesWorld struct {
	secrets *memory.Secrets
	clock   *drivertest.Clock
}

func (w *entriesWorld) options() []secretstore.Option {
	return []secretstore.Option{secretstore.WithEntries(), secretstore.WithScanLimit(0), secretstore.WithClock(w.clock.Now), secretstore.WithSleep(w.clock.Sleep)}
}

func (w *entriesWorld) store() (*secretstore.Store, error) {
	return secretstore.New(w.secrets, w.options()...)
}

func (w *entriesWorld) dying(call int, carried bool) (*secretstore.Store, error) {
	last := drivertest.Unreached
	if carried {
		last = drivertest.LoseReply
	}
	return secretstore.New(drivertest.Inject(w.secrets, drivertest.FailFrom(call, last)), w.options()...)
}

// TestCrashAmongParallelClaims ends a process while it writes several entries of
// the index at the same time, which the suite of package conformance, that goes
// through every order of calls, has done one after the other. The order is
// another one each time.
func TestCrashAmongParallelClaims(t *testing.T) {
	for range 20 {
		adaptertest.Crash(t, func(_ testing.TB, clock *drivertest.Clock) adaptertest.World {
			w := &entriesWorld{memory.New(), clock}
			return adaptertest.World{Store: w.store, Dying: w.dying, Clock: clock}
		})
	}
}
