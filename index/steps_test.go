// A change of the fan-out by writers who have little time each.

package index_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// TestChangeInSmallSteps changes a large fan-out although every writer gives up after a few
// calls, as one does whose deadline is short: each goes on where those before it have
// stopped, in the same process or in another one.
func TestChangeInSmallSteps(t *testing.T) {
	for _, oneProcess := range []bool{true, false} {
		t.Run(fmt.Sprint("one process: ", oneProcess), func(t *testing.T) {
			const from, calls, tokens = 256, 14, 300
			c, secrets := newClock(), memory.New().Batched()
			thousand(t, document(from).make(secrets, c.config()), c, tokens, 0)
			made, cancel := 0, func() {}
			limited := drivertest.Intercept(secrets, func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
				if made++; made > calls {
					cancel()
					return ctx.Err()
				}
				return do(ctx)
			})
			x := document(from).make(limited, c.config())
			writers := 0
			for err := context.Canceled; err != nil; writers++ {
				if !errors.Is(err, context.Canceled) || writers == 300 {
					t.Fatalf("after %d writers: %v", writers, err)
				}
				if !oneProcess {
					x = document(from).make(limited, c.config())
				}
				made = 0
				var ctx context.Context
				ctx, cancel = context.WithCancel(t.Context())
				err = reshard(ctx, x, 2*from)
				cancel()
			}
			t.Logf("%d writers", writers)
			view := document(1).make(secrets, c.config()).View()
			for i := range tokens {
				if found := mustLookup(t, view, hash(i))[0]; len(found) != 1 || found[0].ID != userHash(i) {
					t.Fatalf("token %d: %v", i, found)
				}
			}
		})
	}
}

// TestThrottledChange: a service throttles whoever reads more documents at once than it
// allows. A writer that finishes a change still does, since what it has read it does not read
// again because of that.
func TestThrottledChange(t *testing.T) {
	const from, atOnce, tokens = 512, 200, 300
	c, secrets := newClock(), memory.New().Batched()
	thousand(t, document(from).make(secrets, c.config()), c, tokens, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var writes atomic.Int64
	interrupted := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.Put && writes.Add(1) > from/2 {
			cancel()
			return ctx.Err()
		}
		return do(ctx)
	})
	if err := reshard(ctx, document(from).make(interrupted, c.config()), 2*from); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	throttling := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if len(call.Names) > atOnce {
			return driver.ErrThrottled
		}
		return do(ctx)
	})
	thousand(t, document(from).make(throttling, c.config()), c, 50, 0)
}
