// Step 7: save the new token. It holds the only copy of a refresh token that has just replaced
// another, so a save does not give up.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// maxSwaps is how often a save goes round because somebody else changed the note.
const maxSwaps = 32

// save stores what was redeemed in place of what it was redeemed from.
func (f *flight) save(ctx context.Context) step {
	f.keepUnsaved(&unsaved{row: f.row, got: f.got})
	return f.trySave(ctx, retries)
}

// saveAgain tries once more to save what an earlier flight could not.
func (f *flight) saveAgain(ctx context.Context) step {
	if f.s.swapper == nil {
		return f.saveAlone(ctx, f.e.unsaved, 1)
	}
	return f.trySave(ctx, 1)
}

// keepUnsaved sets what is still to be saved; nil: nothing.
func (f *flight) keepUnsaved(u *unsaved) {
	f.e.mu.Lock()
	f.e.unsaved = u
	f.e.mu.Unlock()
}

// trySave swaps until the token is saved, another one is stored in its place, or the store has
// failed that many times.
func (f *flight) trySave(ctx context.Context, attempts int) step {
	u := f.e.unsaved
	redeemed, got := u.row, u.got
	f.row, f.got = redeemed, got
	start := f.s.now()
	var last error
	for swaps, fails := 0, 0; swaps < maxSwaps && fails < attempts; swaps++ {
		swapped, err := f.swap(ctx, got, "")
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) && f.isSaved(ctx, redeemed) {
			swapped, err = true, nil
		}
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			f.keepUnsaved(nil)
			f.s.report(ctx, f.e, StepSaved, start, err)
			return f.gone(err) // It was deleted, and stays deleted.
		case err != nil:
			last = err
			if fails++; fails < attempts && f.s.sleep(ctx, f.s.pause(fails-1)) != nil {
				fails = attempts
			}
		case swapped, differs(&f.row, &redeemed) && f.row.AccessToken == got.AccessToken:
			f.keepUnsaved(nil)
			f.s.report(ctx, f.e, StepSaved, start, nil)
			f.s.remember(f.e, f.row.OAuthToken, true)
			f.e.claim = ownClaim{}
			return f.give(f.row.OAuthToken)
		case differs(&f.row, &redeemed):
			// Another token came in between. It stands, and ours is dropped.
			f.keepUnsaved(nil)
			f.s.report(ctx, f.e, StepSaved, start, tokenstore.ErrConflict)
			return f.look
		}
		// Otherwise only the note has changed. The token is saved over it, whoever's claim it is.
	}
	return f.notSaved(ctx, start, u, last)
}

// isSaved reads the row after a swap whose outcome is unknown. Only what proves that the token is
// saved is believed, since a read may show an old state; otherwise the next swap tells.
func (f *flight) isSaved(ctx context.Context, redeemed tokenstore.Noted) bool {
	start := f.s.now()
	err := f.fetch(ctx)
	f.s.report(ctx, f.e, StepRead, start, err)
	if err == nil && differs(&f.row, &redeemed) {
		if f.row.AccessToken == f.got.AccessToken {
			return true
		}
		f.row = redeemed
	}
	return false
}

// differs reports whether a row no longer has what was redeemed.
func differs(row, redeemed *tokenstore.Noted) bool {
	return row.GrantToken != redeemed.GrantToken || row.RefreshToken != redeemed.RefreshToken || row.AccessToken != redeemed.AccessToken
}

// notSaved gives the new token with an error that says that it is not saved. Later calls, a
// goroutine and Close go on trying.
func (f *flight) notSaved(ctx context.Context, start time.Time, u *unsaved, cause error) step {
	e := f.e
	token := tokenstore.Update(u.row.OAuthToken, u.got)
	waited := min(max(2*u.waited, time.Second), time.Minute)
	next := f.s.now().Add(waited)
	f.keepUnsaved(&unsaved{row: u.row, got: u.got, waited: waited, next: next, err: cause})
	err := &Error{Kind: ErrNotSaved, Next: next, Err: cause}
	f.s.report(ctx, e, StepSaved, start, err)
	e.memory.Store(&remembered{token: token}) // Its moment has passed: every call tries to save it.
	if u.waited == 0 {
		f.s.keepSaving(ctx, e)
	}
	if u.waited > 0 && !f.s.good(&token, f.dead) {
		f.err = f.s.storeError(cause)
		return nil
	}
	f.token, f.err = token, err
	return nil
}

// keepSaving saves the token of an entry in the background, until that succeeds or Close begins.
func (s *Source) keepSaving(ctx context.Context, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	s.running.Add(1)
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer s.running.Done()
		for s.saveOn(ctx, e) {
		}
	}()
}

// saveOn waits for the next attempt, and makes it; it reports whether there is more to do.
func (s *Source) saveOn(ctx context.Context, e *entry) bool {
	e.mu.Lock()
	u, f := e.unsaved, e.flight
	var wait time.Duration
	if u != nil {
		wait = u.next.Sub(s.now())
	}
	if u != nil && f == nil && wait <= 0 {
		f, _ = s.begin(ctx, e, "")
	}
	e.mu.Unlock()
	switch {
	case u == nil:
		return false
	case f != nil:
		<-f.done
		return s.calm.Err() == nil
	}
	return s.sleep(s.calm, max(wait, 0)) == nil
}

// saveLast saves the token of an entry, as Close does, until ctx ends.
func (s *Source) saveLast(ctx context.Context, e *entry) error {
	for try := 0; ; try++ {
		f := &flight{s: s, e: e, began: s.now()}
		f.saveAgain(ctx)
		if !e.isUnsaved() {
			return nil
		}
		if s.sleep(ctx, f.s.pause(try)) != nil {
			return &Error{Kind: ErrNotSaved, Err: e.unsaved.err}
		}
	}
}
