// Steps 3 and 4: read the row, and decide what it and its note ask for.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

const (
	// believed is how long a refusal is believed before one process asks again.
	believed = 24 * time.Hour
	// trust is by how much the clocks of a fleet may differ.
	trust = 10 * time.Minute
	// justIssued is how old an access token must be before it is renewed.
	justIssued = time.Minute
)

// first takes the row that a find has just read, or reads it. A token that is not saved yet is
// saved first.
func (f *flight) first(ctx context.Context) step {
	f.e.mu.Lock()
	found, u := f.e.found, f.e.unsaved
	f.e.found = nil
	f.e.mu.Unlock()
	if u != nil {
		return f.saveAgain
	}
	if found != nil && f.s.now().Sub(found.at) < time.Second {
		f.row = found.row
		f.observe()
		return f.look
	}
	return f.read
}

// read is step 3: that of most processes in most lives of a token, and then all that they do.
func (f *flight) read(ctx context.Context) step {
	start := f.s.now()
	err := f.fetch(ctx)
	f.s.report(ctx, f.e, StepRead, start, err)
	if err != nil {
		return f.fault(ctx, err)
	}
	return f.look
}

func (f *flight) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	row, err := f.s.read(ctx, tokenstore.OAuthToken{ID: f.e.id})
	if err != nil {
		return err
	}
	f.row = row
	f.observe()
	if f.firstRow.ID == "" {
		f.firstRow = row.OAuthToken
	}
	return nil
}

// look decides by the row: a newer access token is kept, and that is all; else the note decides,
// step 4.
func (f *flight) look(ctx context.Context) step {
	good := f.s.good(&f.row.OAuthToken, f.dead)
	if f.settled(ctx, good) {
		return f.give(f.row.OAuthToken)
	}
	if toRedeem(&f.row.OAuthToken) == "" {
		return f.fail(&Error{Kind: ErrNeedsConsent})
	}
	now := f.s.now()
	n := fitting(&f.row)
	ended, next := false, 0
	switch n.kind {
	case refused: // 4a
		if now.Sub(n.written) < believed {
			return f.fail(&Error{Kind: ErrNeedsConsent, Since: n.written, Next: n.written.Add(believed)})
		}
		ended = true
	case paused: // 4a
		if over := n.written.Add(n.lasts); now.Before(over) && now.Sub(f.e.seenAt) < n.lasts {
			return f.fail(&Error{Kind: ErrThrottled, Next: over})
		}
	case claimed: // 4b
		if c := &f.e.claim; c.nonce == n.nonce {
			switch {
			case c.refused:
				return f.refuse
			case !c.sent && elapsed(c.begun, now) <= budget:
				return f.redeem
			case !c.sent && f.remade < maxRemade: // nothing was sent under it
				f.remade++
				return f.makeClaim(n.n, false)
			}
		}
		if !f.over(n, now) {
			return f.stand(n, good, now)
		}
		ended, next, f.since = true, n.n+1, n.written
	}
	switch forever := f.reuse() == Forever; {
	case ended && good && !forever:
		// The refresh token may be spent, and a second use could end the access token. Nothing
		// is risked while that is good.
		return f.give(f.row.OAuthToken)
	case !ended && good && forever: // 4c
		f.e.claim = ownClaim{}
		return f.redeem
	}
	return f.makeClaim(next, n.kind == claimed)
}

// settled reports whether the row answers the call: its access token is not near its own moment, or
// was refused so soon after it was issued that a new one would be refused too.
func (f *flight) settled(ctx context.Context, good bool) bool {
	e, t := f.e, &f.row.OAuthToken
	old := e.memory.Load()
	m := f.s.remember(e, *t, false)
	if f.s.now().Before(m.until) && good {
		if old != nil && old.token.AccessToken != t.AccessToken {
			f.s.report(ctx, e, StepAdopted, f.s.now(), nil)
		}
		return true
	}
	// One that had ended when it came is used for a minute all the same.
	if t.AccessToken != "" && t.AccessToken == f.dead && (f.s.good(t, "") || f.s.now().Before(m.until)) {
		return !e.issued.IsZero() && f.s.now().Sub(e.issued) < justIssued
	}
	return false
}

// over reports whether a claim has ended: if this process has seen that very claim stand for its
// time, by its own clock, or if it was written that long and ten minutes more ago.
func (f *flight) over(n note, now time.Time) bool {
	return now.Sub(f.e.seenAt) >= n.lasts || now.Round(0).Sub(n.written) >= n.lasts+trust
}

// stand answers while another process's claim stands: with the access token while it is good, else
// the flight waits, for as long as callers do. It does not begin to wait for a claim that lasts
// longer than that; but one that was just made by a process that took over is worth the wait.
func (f *flight) stand(n note, good bool, now time.Time) step {
	left := n.lasts - now.Sub(f.e.seenAt)
	waited := now.Sub(f.began)
	switch {
	case good:
		return f.give(f.row.OAuthToken)
	case left > f.s.patience(), waited >= f.s.patience():
		cause := f.cause
		if !errors.Is(cause, tokenstore.ErrUnavailable) { // A refusal was of what was stored before.
			cause = errClaimed
		}
		return f.fail(unavailable(n.written, now.Add(left), cause))
	}
	return f.wait(min(left, f.s.pause(f.waits), f.s.patience()-waited))
}

// wait waits and reads again, as long as somebody wants the result.
func (f *flight) wait(d time.Duration) step {
	return func(ctx context.Context) step {
		start := f.s.now()
		err := f.rest(ctx, d)
		f.s.report(ctx, f.e, StepWaited, start, err)
		f.waits++
		f.e.mu.Lock()
		wanted := f.waiting > 0
		f.e.mu.Unlock()
		switch {
		case f.s.calm.Err() != nil:
			return f.fail(ErrClosed)
		case err != nil, !wanted:
			return f.fail(unavailable(time.Time{}, time.Time{}, errClaimed))
		}
		return f.read
	}
}

// reuse is that of the provider; a grant is redeemed once.
func (f *flight) reuse() time.Duration {
	if f.row.RefreshToken == "" {
		return 0
	}
	return f.s.reuse
}

// elapsed is the time between two moments by the monotonic clock or, if that has stood still with
// the machine, by the wall clock.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
