package secretstore_test

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
	"example.com/tokenstore/secretstore"
)

// TestStoreOverStaleReads runs the Store suite on one process whose service, for a while
// after each write, may return any earlier state. Such a service does not promise that
// another process sees a write immediately.
func TestStoreOverStaleReads(t *testing.T) {
	for _, name := range []string{"entries", "document", "document 16", "document without access"} {
		form := forms[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := map[tokenstore.Store]*memory.Secrets{}
			conformance.Store(t, func(t testing.TB) tokenstore.Store {
				secrets := memory.New()
				stale, sleep := staleReads(secrets, name == "entries")
				store, err := secretstore.New(stale, append([]secretstore.Option{sleep}, form...)...)
				if err != nil {
					t.Fatal(err)
				}
				raw[store] = secrets
				return store
			},
				conformance.WithForeign(func(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
					return plantForeign(ctx, raw[s])
				}),
				conformance.WithTokens(100),
				conformance.WithTick(func() { time.Sleep(time.Microsecond) }),
				conformance.WithMissing("another process may see an older state for a while", "O0*", "handles-*"),
			)
		})
	}
}

// staleReads returns secrets with reads that are stale for 100 milliseconds of
// a clock which only the store's own pauses move. An index of entries has no
// list of the tokens but the service's own: it needs fresh lists.
func staleReads(secrets driver.Secrets, freshLists bool) (driver.Secrets, secretstore.Option) {
	var mu sync.Mutex
	now := time.Unix(1_700_000_000, 0)
	random := rand.New(rand.NewPCG(1, 2))
	stale := drivertest.Stale(secrets, drivertest.Staleness{
		For:        100 * time.Millisecond,
		FreshLists: freshLists,
		Clock: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		},
		Choose: func(_ string, states int) int { return random.IntN(states) },
	})
	return stale, secretstore.WithSleep(func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
		return ctx.Err()
	})
}
