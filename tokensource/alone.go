// Without coordination: a store that cannot swap, or a process that is alone. The row is read, the
// refresh token redeemed, the token saved, and what is then stored is used.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// alone takes the place of all steps.
func (f *flight) alone(ctx context.Context) step {
	start := f.s.now()
	err := f.fetch(ctx)
	f.s.report(ctx, f.e, StepRead, start, err)
	if err != nil {
		return f.retryAlone(ctx, err, f.alone)
	}
	f.e.mu.Lock()
	u := f.e.unsaved
	f.e.found = nil
	f.e.mu.Unlock()
	if u != nil {
		return f.saveAgain(ctx)
	}
	good := f.s.good(&f.row.OAuthToken, f.dead)
	if f.settled(ctx, good) {
		return f.give(f.row.OAuthToken)
	}
	if toRedeem(&f.row.OAuthToken) == "" {
		return f.fail(&Error{Kind: ErrNeedsConsent})
	}
	b := &f.e.alone
	if b.fit == fit(refused, &f.row.OAuthToken) && f.s.now().Before(b.next) {
		return f.fail(&Error{Kind: b.kind, Since: b.since, Next: b.next})
	}
	return f.redeemAlone(ctx)
}

// aloneFailure is how the last redemption failed, and when the next may be sent.
type aloneFailure struct {
	fit         string
	kind        error
	since, next time.Time
	times       int
}

// redeemAlone asks the provider once. A refusal is believed if the row has not changed.
func (f *flight) redeemAlone(ctx context.Context) step {
	b := &f.e.alone
	about := fit(refused, &f.row.OAuthToken)
	if b.fit != about {
		*b = aloneFailure{fit: about}
	}
	start := f.s.now()
	got, err := f.ask(ctx)
	f.s.report(ctx, f.e, StepRedeemed, start, err)
	if err == nil {
		*b = aloneFailure{}
		return f.saveAlone(ctx, &unsaved{row: f.row, got: got}, retries)
	}
	var own *Error
	errors.As(err, &own)
	now := f.s.now()
	b.kind, b.since = own.Kind, start
	b.next = now.Add(min(time.Second<<min(b.times, 6), time.Minute))
	b.times++
	if own.Next.After(b.next) {
		b.next = own.Next
	}
	if errors.Is(own, ErrNeedsConsent) {
		redeemed := f.row
		if f.fetch(ctx) == nil && differs(&f.row, &redeemed) && f.remade < maxRemade {
			f.remade++
			return f.alone
		}
		b.next = now.Add(believed)
		f.s.report(ctx, f.e, StepRefused, start, nil)
	}
	return f.fail(&Error{Kind: own.Kind, Since: b.since, Next: b.next, Err: err})
}

// saveAlone saves onto the row if that has not been deleted, and adopts what is then stored.
func (f *flight) saveAlone(ctx context.Context, u *unsaved, attempts int) step {
	f.keepUnsaved(u)
	start := f.s.now()
	var last error
	for try := range attempts {
		if try > 0 && f.s.sleep(ctx, f.s.pause(try-1)) != nil {
			break
		}
		saved, err := f.saveRow(ctx, u)
		switch {
		case err == nil:
			f.keepUnsaved(nil)
			f.s.report(ctx, f.e, StepSaved, start, nil)
			f.s.remember(f.e, saved, true)
			return f.give(saved)
		case errors.Is(err, tokenstore.ErrNotFound):
			f.keepUnsaved(nil)
			f.s.report(ctx, f.e, StepSaved, start, err)
			return f.gone(err)
		}
		last = err
	}
	return f.notSaved(ctx, start, u, last)
}

func (f *flight) saveRow(ctx context.Context, u *unsaved) (tokenstore.OAuthToken, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	now, err := f.s.store.FindTokenByID(ctx, f.e.id)
	if err != nil {
		return now, err
	}
	if now.RefreshToken != u.row.RefreshToken || now.GrantToken != u.row.GrantToken {
		return now, nil // A person, or another process, has stored another one.
	}
	next := u.got
	next.ID, next.UserName = f.e.id, ""
	return f.s.store.SaveToken(ctx, next)
}

// retryAlone repeats a read that has failed.
func (f *flight) retryAlone(ctx context.Context, err error, again step) step {
	if next := f.fault(ctx, err); next != nil {
		return again
	}
	return nil
}
