package conformance_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/adaptertest"
)

// staleForms are the indexes that are tried on a service whose reads are stale.
var staleForms = []struct {
	name string
	form tokenstore.Option
	// fanout is that of a change which is interrupted; 0: an index of entries,
	// which has none, and no list of the tokens but the service's.
	fanout int
}{
	{"entries", tokenstore.WithEntries(), 0},
	{"document", tokenstore.WithDocument(1), 4},
	{"document 16", tokenstore.WithDocument(16), 3},
}

// TestCrashStale and TestModelStale have a service that shows, for a while after
// each write, any of the states before.
func TestCrashStale(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	for _, f := range staleForms {
		t.Run(f.name, func(t *testing.T) {
			newSecrets, service := staleMemory(f.fanout == 0)
			conformance.Crash(t, newSecrets, engineWith(f.form), conformance.CrashOptions{Service: service, Every: every(), Fanout: f.fanout})
		})
	}
}

func TestModelStale(t *testing.T) {
	t.Parallel()
	for _, f := range staleForms {
		t.Run(f.name, func(t *testing.T) {
			newSecrets, service := staleMemory(f.fanout == 0)
			conformance.Model(t, newSecrets, engineWith(f.form), conformance.ModelOptions{Service: service, Operations: operations()})
		})
	}
}

// staleMemory returns a service in memory with stale reads, by a clock that only
// pauses move.
func staleMemory(freshLists bool) (func(testing.TB) driver.Secrets, conformance.Service) {
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
		random := rand.New(rand.NewPCG(1, 2)) // Each service anew, so that a failure comes again.
		return drivertest.Stale(memory.New(), drivertest.Staleness{
			For: staleFor, FreshLists: freshLists, Clock: clock,
			Choose: func(_ string, states int) int { return random.IntN(states) },
		})
	}
	return newSecrets, conformance.Service{Now: clock, Sleep: sleep, Settle: staleFor}
}
