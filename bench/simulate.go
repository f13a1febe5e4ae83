// Calls and simulated time. An operation runs in a bubble of testing/synctest, in which each call to the service
// waits for a round trip and time passes at once when everybody waits: calls that are made together take one round
// trip, calls that follow each other as many as there are. What the program computes takes no time there.

package main

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
)

// roundTrips are those that the page shows: a service in the same zone, in the same region, on another continent.
var roundTrips = []time.Duration{time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond}

// cost is what one operation costs in calls and time.
type cost struct {
	tokens int // that were stored
	calls  int
	times  []time.Duration // for each of roundTrips
}

// bubble runs f in a bubble.
func bubble(t *testing.T, f func(context.Context) error) (err error) {
	synctest.Test(t, func(t *testing.T) { err = f(t.Context()) })
	return err
}

// stored returns how many of n tokens a way can hold.
func (w way) stored(n int) int {
	if w.most > 0 {
		return min(n, w.most)
	}
	return n
}

// try opens a way, stores n tokens, and calls f.
func (w way) try(ctx context.Context, in world, n int, f func(*keeper) error) error {
	k, err := w.open(ctx, in)
	if err != nil {
		return fmt.Errorf("%v: %w", w, err)
	}
	if err := k.fill(ctx, newTokens(n)); err != nil {
		return k.end(fmt.Errorf("%v, %d tokens: %w", w, n, err))
	}
	if err := f(k); err != nil {
		return k.end(fmt.Errorf("%v, %d tokens: %w", w, n, err))
	}
	return k.end(nil)
}

// soon is how long before its end an access token is refreshed.
const soon = 30 * time.Second

// before does what a process has done that has been running for a while: the same operation or, before a save, a
// find when the access token has nearly ended. It returns the token with which to do the operation.
func (k *keeper) before(ctx context.Context, op operation, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if op != save {
		return t, k.do[op](ctx, t)
	}
	if !k.source { // A source refreshes it in a find.
		k.clock.Advance(max(0, t.Expiry.Add(-soon).Sub(k.clock.Now())))
	}
	var err error
	if find := k.do[findUser]; find != nil {
		err = find(ctx, t)
	}
	k.clock.Advance(max(0, t.Expiry.Add(-soon).Sub(k.clock.Now())))
	return refreshed(t, 1), err
}

// count makes an operation on a token, and returns its calls.
func count(ctx context.Context, k *keeper, op operation, t tokenstore.OAuthToken) (int, error) {
	before := k.made(everyCall)
	err := k.do[op](ctx, t)
	return k.made(everyCall) - before, err
}

// simulate returns what each operation costs with n tokens, in a process that has done it before. The token that is
// looked for is the one in the middle.
func (w way) simulate(t *testing.T, n int, roundTrips ...time.Duration) (map[operation]cost, error) {
	n = w.stored(n)
	results := map[operation]cost{}
	for _, rtt := range roundTrips {
		err := bubble(t, func(ctx context.Context) error {
			time.Sleep(time.Until(begin.Add(-life)))
			return w.try(ctx, world{simulate: true, latency: rtt}, n, func(k *keeper) error {
				for _, op := range operations {
					if k.do[op] == nil {
						continue
					}
					t, err := k.before(ctx, op, newToken(n/2))
					if err != nil {
						return fmt.Errorf("before %s: %w", op, err)
					}
					start := time.Now()
					calls, err := count(ctx, k, op, t)
					if err != nil {
						return fmt.Errorf("%s: %w", op, err)
					}
					c := results[op]
					results[op] = cost{tokens: n, calls: calls, times: append(c.times, time.Since(start))}
				}
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}
