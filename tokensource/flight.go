// A flight: the refresh of one token by this process. It goes through the steps of the protocol,
// each in a file of its own:
//
//	read ─▶ look ─▶ claim ─▶ redeem ─▶ save
//	  ▲       │        │         └────▶ refuse
//	  └─ wait ◀────────┘
//
// What keeps a refresh token from being spent twice is the claim; what keeps a new one from being
// lost is that a save does not ask whose claim it is.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// flight is one refresh. Its goroutine alone uses it; the fields under "result" are read once done
// is closed.
type flight struct {
	s     *Source
	e     *entry
	dead  string // an access token that counts as ended
	began time.Time

	row     tokenstore.Noted      // as last read
	got     tokenstore.OAuthToken // what was redeemed from it
	cold    bool                  // it has waited before a claim
	remade  int                   // claims made again because nothing was sent under them
	waits   int                   // times that it has waited for another's claim
	faults  int                   // calls to the store that failed since the last swap
	since   time.Time             // since when the refresh token may be spent, as a claim that was taken over says
	cause   error                 // why the last redemption failed
	waiting int                   // calls that wait for the result; guarded by e.mu

	done     chan struct{}
	token    tokenstore.OAuthToken // result
	err      error                 // result
	firstRow tokenstore.OAuthToken // result: the row as it was first read
}

// step is what a flight does next; nil ends it.
type step func(context.Context) step

// retries is how many calls to the store in a row may fail.
const retries = 3

// patience is how long a flight, and so a caller, waits for others: two claims.
func (s *Source) patience() time.Duration { return 2 * s.claim }

// begin begins a flight. The caller holds e.mu.
func (s *Source) begin(ctx context.Context, e *entry, dead string) (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	f := &flight{s: s, e: e, dead: dead, began: s.now(), done: make(chan struct{})}
	e.flight = f
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		ctx, cancel := s.ownContext(ctx, s.patience()+s.claim+6*budget)
		defer cancel()
		f.run(ctx)
	}()
	return f, nil
}

// run takes one step after the other, and leaves the result to those who wait.
func (f *flight) run(ctx context.Context) {
	next := step(f.first)
	if f.s.swapper == nil {
		next = f.alone
	}
	for next != nil {
		next = next(ctx)
	}
	e := f.e
	e.mu.Lock()
	if e.flight == f {
		e.flight = nil
	}
	if m := e.memory.Load(); m != nil && f.s.now().Before(m.until) {
		e.idle, e.quiet = 0, time.Time{}
	} else {
		// While the access token is good, nobody needs to read again at once.
		e.quiet = f.s.now().Add(f.s.pause(e.idle))
		e.idle++
	}
	e.mu.Unlock()
	close(f.done)
}

// pause is the n-th wait: 0.25 s, doubling to 4 s, with jitter.
func (s *Source) pause(n int) time.Duration {
	d := 250 * time.Millisecond << min(n, 4)
	return d/2 + time.Duration(s.random()*float64(d))
}

// give ends the flight with a token.
func (f *flight) give(t tokenstore.OAuthToken) step {
	f.token, f.err = t, nil
	return nil
}

// fail ends the flight: with the stored token while that is good, else with the error.
func (f *flight) fail(err error) step {
	if f.s.good(&f.row.OAuthToken, f.dead) {
		return f.give(f.row.OAuthToken)
	}
	f.err = err
	return nil
}

// gone ends the flight of a token that was deleted.
func (f *flight) gone(err error) step {
	f.e.memory.Store(nil)
	f.err = err
	return nil
}

// fault decides what to do after a call to the store has failed, and may have had its effect: the
// row tells, so it is read again. If the store stays out of reach, the token in memory is good until
// it ends; nothing is redeemed that could not be saved.
func (f *flight) fault(ctx context.Context, err error) step {
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return f.gone(err)
	case f.faults >= retries, !temporary(err), f.rest(ctx, f.s.pause(f.faults)) != nil:
		if m := f.e.memory.Load(); m != nil && f.s.good(&m.token, f.dead) {
			return f.give(m.token)
		}
		f.err = f.s.storeError(err)
		return nil
	}
	f.faults++
	return f.read
}

// swap is the only write: it sets the fields of next and the note if the row is still as read.
func (f *flight) swap(ctx context.Context, next tokenstore.OAuthToken, text string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	now, swapped, err := f.s.swapper.SwapToken(ctx, f.row, next, text)
	if err != nil {
		return false, err
	}
	f.faults = 0
	f.row = now
	f.observe()
	return swapped, nil
}

// rest sleeps, but not once Close has begun.
func (f *flight) rest(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.s.calm, cancel)()
	return f.s.sleep(ctx, d)
}

// temporary reports whether a call to the store may succeed if it is made again at once.
func temporary(err error) bool {
	return tokenstore.Retryable(err) || errors.Is(err, context.DeadlineExceeded)
}

// storeError returns a store's error as the caller gets it: as it is, but for that of a context
// that is not the caller's.
func (s *Source) storeError(err error) error {
	switch {
	case err == nil || tokenstore.Kind(err) != nil:
		return err
	case errors.Is(err, context.Canceled) && s.closed.Load():
		return ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable(time.Time{}, time.Time{}, err)
	}
	return err
}

// observe keeps since when this process sees the row's note standing: from the end of the first
// read that showed it.
func (f *flight) observe() {
	if f.e.seen != f.row.Note {
		f.e.seen, f.e.seenAt = f.row.Note, f.s.now()
	}
}
