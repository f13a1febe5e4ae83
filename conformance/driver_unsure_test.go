package conformance_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// newRetiring returns a driver with all abilities that wrappers pass on.
func newRetiring() driver.Secrets {
	return retiringBy(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
		return m.Delete(ctx, name, revision)
	})()
}

// TestDriverThrottled: a driver whose service throttles a part of its calls keeps every
// promise, so it passes.
func TestDriverThrottled(t *testing.T) {
	for name, newSecrets := range map[string]func() driver.Secrets{
		"batched":  func() driver.Secrets { return memory.New().Batched() },
		"retiring": newRetiring,
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Driver(t, func(testing.TB) driver.Secrets {
				random := rand.New(rand.NewPCG(1, 2))
				return drivertest.Inject(newSecrets(), func(drivertest.Call) drivertest.Outcome {
					if random.IntN(4) == 0 {
						return drivertest.Throttled
					}
					return drivertest.Outcome{}
				})
			}, memoryOptions()...)
		})
	}
}

// doubtful returns a driver that, of writes to one name at the same time, leaves some in
// doubt, as one does whose requests and replies are sometimes lost.
func doubtful(secrets driver.Secrets, random *rand.Rand, doubts *atomic.Int64) driver.Secrets {
	var mu sync.Mutex
	writes := map[string]int{} // that are in progress, by name
	count := func(name string, n int) int {
		mu.Lock()
		defer mu.Unlock()
		writes[name] += n
		return writes[name]
	}
	chance := func() int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(100)
	}
	return drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if !call.Method.Writes() {
			return do(ctx)
		}
		others := count(call.Name, 1) > 1
		defer count(call.Name, -1)
		runtime.Gosched()
		lost := chance()
		if others = others || count(call.Name, 0) > 1; !others || lost >= 4 {
			return do(ctx)
		}
		if lost < 2 {
			_ = do(ctx) // Only its reply is lost.
		}
		doubts.Add(1)
		return driver.ErrUnavailable
	})
}

// TestDriverDoubtful: a driver that cannot always find out what became of a write where others
// write too passes.
func TestDriverDoubtful(t *testing.T) {
	var doubts atomic.Int64
	for seed := range uint64(10) {
		conformance.Driver(t, func(testing.TB) driver.Secrets {
			return doubtful(newRetiring(), rand.New(rand.NewPCG(seed, 1)), &doubts)
		}, append(memoryOptions(), conformance.DriverOnly("concurrent-*", "retire-race"))...)
	}
	if doubts.Load() == 0 {
		t.Error("nothing was in doubt")
	}
}
