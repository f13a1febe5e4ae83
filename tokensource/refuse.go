// Step 8: a refusal is believed only once it is recorded, so only where the refresh token is still
// stored and the claim still ours: another process may have redeemed it, or a person replaced it.

package tokensource

import (
	"context"

	"example.com/tokenstore"
)

// refuse records that the provider refused the refresh token. Nothing is deleted.
func (f *flight) refuse(ctx context.Context) step {
	start := f.s.now()
	text := note{kind: refused, fit: fit(refused, &f.row.OAuthToken), written: start}
	swapped, err := f.swap(ctx, tokenstore.OAuthToken{}, text.String())
	if err == nil && !swapped {
		f.e.claim.refused, f.cause = false, nil
		return f.look
	}
	f.s.report(ctx, f.e, StepRefused, start, err)
	if err != nil {
		return f.fault(ctx, err)
	}
	since := f.since
	if since.IsZero() {
		since = start
	}
	f.e.claim = ownClaim{}
	return f.fail(&Error{Kind: ErrNeedsConsent, Since: since, Next: start.Add(believed), Err: f.cause})
}
