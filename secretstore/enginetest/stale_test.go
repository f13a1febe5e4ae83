package enginetest_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// staleForms are the indexes to test on a service with stale reads.
var staleForms = []struct {
	name string
	form secretstore.Option
	// fanout is the target of an interrupted change; 0 means an index of entries, which
	// has none, and which relies on the service's list of tokens.
	fanout int
}{
	{"entries", secretstore.WithEntries(), 0},
	{"document", secretstore.WithDocument(1), 4},
	{"document 16", secretstore.WithDocument(16), 3},
}

// TestCrashStale and TestModelStale use a service that, for a while after each write, may
// return any earlier state.
func TestCrashStale(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	for _, f := range staleForms {
		t.Run(f.name, func(t *testing.T) {
			newSecrets, service := staleMemory(f.fanout == 0)
			enginetest.Crash(t, newSecrets, engineWith(f.form), enginetest.CrashOptions{Service: service, Every: every(), Fanout: f.fanout})
		})
	}
}

func TestModelStale(t *testing.T) {
	t.Parallel()
	for _, f := range staleForms {
		t.Run(f.name, func(t *testing.T) {
			newSecrets, service := staleMemory(f.fanout == 0)
			enginetest.Model(t, newSecrets, engineWith(f.form), enginetest.ModelOptions{Service: service, Operations: operations()})
		})
	}
}

// staleMemory returns a service in memory with stale reads, on a clock that only pauses
// advance.
func staleMemory(freshLists bool) (func(testing.TB) driver.Secrets, enginetest.Service) {
	const staleFor = 100 * time.Millisecond
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	sleep := func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
		return ctx.Err()
	}
	newSecrets := func(testing.TB) driver.Secrets {
		random := rand.New(rand.NewPCG(1, 2)) // A new source for each service, so that failures are reproducible.
		return drivertest.Stale(memory.New(), drivertest.Staleness{
			For: staleFor, FreshLists: freshLists, Clock: clock,
			Choose: func(_ string, states int) int { return random.IntN(states) },
		})
	}
	return newSecrets, enginetest.Service{Now: clock, Sleep: sleep, Settle: staleFor}
}
