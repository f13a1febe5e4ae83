// Step 6: ask the provider, once, or again only where that does no harm.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// redeem sends the refresh token, if the claim is young enough: a process that has slept since it
// claimed may have been taken over.
func (f *flight) redeem(ctx context.Context) step {
	c := &f.e.claim
	if c.nonce == "" { // 4c: without a claim
		c.begun = f.s.now()
	}
	var sent time.Time // when it was sent the first time
	unknown := 0
	for try := 0; ; try++ {
		start := f.s.now()
		if elapsed(c.begun, start) > budget {
			if try == 0 {
				return f.read
			}
			break
		}
		if try == 0 {
			sent = start
		}
		c.sent = true
		got, err := f.ask(ctx)
		f.s.report(ctx, f.e, StepRedeemed, start, err)
		if err == nil {
			f.got = got
			return f.save
		}
		f.cause = err
		var again bool
		switch {
		case errors.Is(err, ErrNeedsConsent):
			c.refused = true
			return f.refuse
		case errors.Is(err, ErrThrottled):
			return f.throttled(err)
		case errors.Is(err, ErrMisconfigured):
			return f.hold(ErrMisconfigured, time.Time{})
		case errors.Is(err, ErrNotSent):
			again = true
		default: // It may have been carried out.
			f.since = sent
			unknown++
			again = unknown == 1 && f.mayResend(sent)
		}
		wait := f.s.pause(try)
		if !again || ctx.Err() != nil || elapsed(c.begun, f.s.now())+wait > budget || f.rest(ctx, wait) != nil {
			break
		}
	}
	if unknown > 0 {
		return f.hold(tokenstore.ErrUnavailable, time.Time{})
	}
	return f.hold(ErrNotSent, time.Time{})
}

// ask makes one request.
func (f *flight) ask(ctx context.Context) (tokenstore.OAuthToken, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	got, err := f.s.redeemer.Redeem(ctx, f.row.OAuthToken)
	if err == nil && got.AccessToken == "" {
		err = errNoToken
	}
	if err != nil {
		return tokenstore.OAuthToken{}, fromRedeemer(err)
	}
	return got.Normal(), nil
}

// mayResend reports whether a request that may have been carried out can be sent again: the provider
// takes the refresh token again for long enough.
func (f *flight) mayResend(sent time.Time) bool {
	reuse := f.reuse()
	return reuse == Forever || elapsed(sent, f.s.now())+budget <= reuse
}

// throttled ends the redemption if the provider asks for a pause. One that is longer than the claim
// is recorded, for the whole fleet; otherwise the claim keeps the others away.
func (f *flight) throttled(err error) step {
	var own *Error
	errors.As(err, &own)
	now := f.s.now()
	pause := min(own.Next.Sub(now), believed)
	if f.s.good(&f.row.OAuthToken, f.dead) || own.Next.IsZero() || pause <= f.e.claim.left(now) {
		return f.hold(ErrThrottled, own.Next)
	}
	return func(ctx context.Context) step {
		text := note{kind: paused, fit: fit(paused, &f.row.OAuthToken), lasts: pause.Round(time.Second), written: now}
		swapped, swapErr := f.swap(ctx, tokenstore.OAuthToken{}, text.String())
		f.s.report(ctx, f.e, StepPaused, now, swapErr)
		if swapErr == nil && !swapped {
			return f.look
		}
		return f.fail(&Error{Kind: ErrThrottled, Next: now.Add(pause), Err: err})
	}
}

// hold ends a redemption that has failed, and leaves the claim: it marks that the refresh token may
// be spent, keeps the fleet away for a while, and costs no write. Where there was none, one is made.
func (f *flight) hold(kind error, next time.Time) step {
	return func(ctx context.Context) step {
		if f.e.claim.nonce == "" {
			start := f.s.now()
			_, err := f.writeClaim(ctx, 0, start)
			f.e.claim.sent = true
			f.s.report(ctx, f.e, StepClaimed, start, err)
		}
		if unknown := errors.Is(kind, tokenstore.ErrUnavailable) && !errors.Is(kind, ErrNotSent); unknown && ctx.Err() == nil {
			return f.read // Anybody who sees the claim end may ask again, this process too.
		}
		now := f.s.now()
		if over := now.Add(f.e.claim.left(now)); next.Before(over) {
			next = over
		}
		return f.fail(&Error{Kind: kind, Since: f.since, Next: next, Err: f.cause})
	}
}
