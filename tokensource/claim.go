// Step 5: claim the right to redeem, by writing a note where nobody else has written since the row
// was read.

package tokensource

import (
	"context"
	"time"

	"example.com/tokenstore"
)

// maxRemade is how often a flight makes a claim again under which it has sent nothing in time.
const maxRemade = 2

// longest is up to which a claim doubles where a store does not limit its writes.
const longest = 2 * time.Minute

// makeClaim claims the row as it was read. n claims before it have led to nothing.
func (f *flight) makeClaim(n int, takesOver bool) step {
	return func(ctx context.Context) step {
		switch {
		case f.s.calm.Err() != nil:
			return f.fail(ErrClosed)
		case !f.cold && !f.s.good(&f.row.OAuthToken, f.dead) && f.s.swapper.WritesPerDay() > 0:
			return f.spreadOut
		}
		f.cause = nil
		start := f.s.now()
		won, err := f.writeClaim(ctx, n, start)
		if err == nil && !won {
			f.s.report(ctx, f.e, StepClaimed, start, tokenstore.ErrConflict)
			return f.look
		}
		f.s.report(ctx, f.e, StepClaimed, start, err)
		if err != nil {
			return f.fault(ctx, err) // The row tells, by the nonce, whether it is ours.
		}
		if takesOver {
			f.s.report(ctx, f.e, StepTookOver, start, nil)
		}
		return f.redeem
	}
}

// spreadOut waits before a claim that a whole fleet may want at once, where every writer costs a
// version, so that usually one writes and the others read its claim.
func (f *flight) spreadOut(ctx context.Context) step {
	f.cold = true
	d := time.Second - f.s.exponential(150*time.Millisecond)
	if d > 0 && f.rest(ctx, d) != nil {
		return f.fail(ErrClosed)
	}
	return f.read
}

// writeClaim writes the claim.
func (f *flight) writeClaim(ctx context.Context, n int, start time.Time) (bool, error) {
	c := ownClaim{nonce: newNonce(), begun: start, lasts: f.claimLasts(n), n: n}
	f.e.claim = c
	text := note{kind: claimed, nonce: c.nonce, fit: fit(claimed, &f.row.OAuthToken), lasts: c.lasts, n: n, written: start}
	return f.swap(ctx, tokenstore.OAuthToken{}, text.String())
}

// claimLasts is how long a claim lasts after n that led to nothing.
func (f *flight) claimLasts(n int) time.Duration {
	d, most := f.s.claim, longest
	if reuse := f.reuse(); reuse >= 20*time.Second && reuse <= 70*time.Second {
		d = min(d, reuse-budget)
	}
	if writes := f.s.swapper.WritesPerDay(); writes > 0 {
		most = 24 * time.Hour / time.Duration(max(writes/2, 1))
	}
	for range n {
		if d >= most {
			break
		}
		d = min(2*d, most)
	}
	return d.Round(time.Second)
}

// left is how long the claim of this process still lasts.
func (c *ownClaim) left(now time.Time) time.Duration { return c.lasts - now.Sub(c.begun) }
