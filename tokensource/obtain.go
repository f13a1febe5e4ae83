// A call that memory cannot answer: it finds the token's entry, joins the refresh that is running
// or begins one (step 2: one for each token and process), and waits only if it must.

package tokensource

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// find is a query that is being looked up, for all that ask the same.
type find struct {
	done  chan struct{}
	entry *entry
	err   error
}

// obtain returns a valid token. An access token equal to dead counts as ended.
func (s *Source) obtain(ctx context.Context, query tokenstore.OAuthToken, dead string) (tokenstore.OAuthToken, error) {
	k := keyOf(&query)
	for try := 0; ; try++ {
		if err := ctx.Err(); err != nil {
			return tokenstore.OAuthToken{}, err
		}
		if s.closed.Load() {
			return tokenstore.OAuthToken{}, ErrClosed
		}
		e := s.entries.get(&k)
		fresh := e == nil
		if fresh {
			var err error
			if e, err = s.find(ctx, k, query); err != nil {
				return tokenstore.OAuthToken{}, err
			}
		}
		t, f, err := s.join(ctx, e, dead)
		// The row may have gone, or changed so that the query finds another one, or none, by now.
		lost := errors.Is(err, tokenstore.ErrNotFound) ||
			!fresh && f != nil && f.firstRow.ID != "" && !k.holds(&f.firstRow) && !k.holds(&t)
		if lost {
			s.entries.forget(k, e)
		}
		if !lost || fresh || try > 0 {
			return t, err
		}
	}
}

// find looks a query up in the store, once for all that ask at the same time.
func (s *Source) find(ctx context.Context, k key, query tokenstore.OAuthToken) (*entry, error) {
	s.mu.Lock()
	f, running := s.finds[k], true
	if f == nil {
		f = &find{done: make(chan struct{})}
		running = s.goOn(func() {
			f.entry, f.err = s.lookUp(ctx, k, query)
			s.mu.Lock()
			delete(s.finds, k)
			s.mu.Unlock()
			close(f.done)
		})
		if running {
			s.finds[k] = f
		}
	}
	s.mu.Unlock()
	if !running {
		return nil, ErrClosed
	}
	select {
	case <-f.done:
		return f.entry, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookUp reads the token that a query finds.
func (s *Source) lookUp(ctx context.Context, k key, query tokenstore.OAuthToken) (*entry, error) {
	ctx, cancel := s.ownContext(ctx, budget)
	defer cancel()
	defer context.AfterFunc(s.calm, cancel)()
	var row tokenstore.Noted
	var start time.Time
	for try := 0; ; try++ {
		start = s.now()
		var err error
		if row, err = s.read(ctx, query); err == nil {
			break
		}
		s.report(ctx, nil, StepRead, start, err)
		if try >= retries || !temporary(err) || s.sleep(ctx, s.pause(try)) != nil {
			return nil, s.storeError(err)
		}
	}
	e := s.entryOf(row.ID)
	s.report(ctx, e, StepRead, start, nil)
	e.mu.Lock()
	if e.flight == nil && e.unsaved == nil {
		e.found = &reading{row, s.now()}
		s.remember(e, row.OAuthToken, false)
	}
	e.mu.Unlock()
	s.know(k, e)
	return e, nil
}

// read reads a row with its note, if the store has notes.
func (s *Source) read(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	if s.swapper != nil {
		return s.swapper.FindNoted(ctx, query)
	}
	t, err := s.store.FindToken(ctx, query)
	return tokenstore.Noted{OAuthToken: t}, err
}

// ownContext returns a context with the values of ctx that outlives it, but not the Source.
func (s *Source) ownContext(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := context.AfterFunc(s.hard, cancel)
	return ctx, func() { stop(); cancel() }
}

// join returns the token from memory or from a flight: the one that is running, or a new one. It
// returns the flight if it has waited for it.
func (s *Source) join(ctx context.Context, e *entry, dead string) (tokenstore.OAuthToken, *flight, error) {
	for {
		e.mu.Lock()
		now := s.now()
		m := e.memory.Load()
		good := m != nil && s.good(&m.token, dead)
		if good && (now.Before(m.until) || now.Before(e.quiet)) && e.unsaved == nil {
			e.mu.Unlock()
			return m.token, nil, nil
		}
		f, began, err := e.flight, false, error(nil)
		if u := e.unsaved; f == nil && !(u != nil && good && now.Before(u.next)) {
			f, err = s.begin(ctx, e, dead)
			began = true
		}
		var notSaved error
		if u := e.unsaved; u != nil && u.waited > 0 { // It has failed, and is not just being saved.
			notSaved = &Error{Kind: ErrNotSaved, Next: u.next, Err: u.err}
		}
		wait := f != nil && (!good || began && s.foreground)
		if wait {
			f.waiting++
		}
		e.mu.Unlock()
		if err != nil {
			return tokenstore.OAuthToken{}, nil, err
		}
		if !wait {
			return m.token, nil, notSaved
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			e.mu.Lock()
			f.waiting--
			e.mu.Unlock()
			return tokenstore.OAuthToken{}, nil, ctx.Err()
		}
		// A flight that began with another idea of what has ended says nothing about this call.
		if f.dead == dead || f.token.AccessToken != "" && f.token.AccessToken != dead {
			return f.token, f, f.err
		}
	}
}
