// Stale reads: what eventually consistent services may return, on any driver.

package drivertest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore/driver"
)

// Staleness says how long reads may return the state before a write. If both limits
// are set, the one that is reached first applies; if neither is set, nothing is
// stale.
type Staleness struct {
	// Reads is how many reads of a name return an older state after each write of it.
	// Zero means no limit by number.
	Reads int
	// For is how long after a write they do, by Clock. Zero means no limit by time.
	For time.Duration
	// Clock returns the time; it must be set if For is.
	Clock func() time.Time
	// Choose picks the state that a read returns: 0 is the current one, 1 the one
	// before, up to states-1. It is called for each read of a name that has older
	// states, by one goroutine at a time. If Choose is nil, reads return the oldest
	// state.
	Choose func(name string, states int) int
	// FreshLists makes List return the current state.
	FreshLists bool
}

// Stale returns secrets whose Get, GetBatch and List return older states for a while
// after each Put and Delete made through it. Put, Delete and Retire decide on the
// current state, as the wrapped driver does. All processes of a test must share one
// such driver, because it is the service that is stale.
//
// It makes one call to the wrapped driver at a time, and reads before it writes. So put
// other wrappers around it, not under it.
func Stale(secrets driver.Secrets, staleness Staleness) driver.Secrets {
	return offer(secrets, &stale{
		inner:     abilitiesOf(secrets),
		staleness: staleness,
		older:     map[string][]state{},
	})
}

// state is the state of a name before a write.
type state struct {
	secret driver.Secret
	exists bool
	reads  int       // how many reads may still return it
	until  time.Time // when reads stop returning it
}

type stale struct {
	inner     abilities
	staleness Staleness

	mu    sync.Mutex
	older map[string][]state // oldest first
}

func (s *stale) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := ctx.Err(); err != nil {
		return driver.Secret{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if older, ok := s.show(name); ok {
		if !older.exists {
			return driver.Secret{}, driver.ErrNotFound
		}
		return older.secret, nil
	}
	return s.inner.Get(ctx, name)
}

func (s *stale) Put(ctx context.Context, put driver.Secret) (revision string, err error) {
	err = s.write(ctx, put.Name, func() (err error) {
		revision, err = s.inner.Put(ctx, put)
		return err
	})
	return revision, err
}

func (s *stale) Delete(ctx context.Context, name, revision string) error {
	return s.write(ctx, name, func() error { return s.inner.Delete(ctx, name, revision) })
}

func (s *stale) Retire(ctx context.Context, name, revision string) error {
	return s.write(ctx, name, func() error { return s.inner.retire.Retire(ctx, name, revision) })
}

func (s *stale) RetireWindow() time.Duration { return s.inner.retire.RetireWindow() }

func (s *stale) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		names, err := s.list(ctx, prefix)
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

func (s *stale) list(ctx context.Context, prefix string) ([]string, error) {
	if s.staleness.FreshLists {
		return s.present(ctx, prefix)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	present := map[string]bool{}
	for name, err := range s.inner.List(ctx, prefix) {
		if err != nil {
			return names, err
		}
		present[name] = true
		if older, ok := s.show(name); !ok || older.exists {
			names = append(names, name)
		}
	}
	for _, name := range s.changed(prefix) {
		if present[name] {
			continue
		}
		if older, ok := s.show(name); ok && older.exists {
			names = append(names, name)
		}
	}
	return names, nil
}

func (s *stale) present(ctx context.Context, prefix string) (names []string, err error) {
	for name, err := range s.inner.List(ctx, prefix) {
		if err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

// changed returns the names with older states, sorted.
func (s *stale) changed(prefix string) []string {
	var names []string
	for name := range s.older {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *stale) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []driver.Secret
	var present []string
	for _, name := range unique(names) {
		older, ok := s.show(name)
		switch {
		case !ok:
			present = append(present, name)
		case older.exists:
			found = append(found, older.secret)
		}
	}
	if len(present) == 0 {
		return found, nil
	}
	secrets, err := s.inner.batch.GetBatch(ctx, present)
	return append(found, secrets...), err
}

// write remembers the state of name and does the write. It allows one write or read at
// a time, so that it remembers the very state that the write replaced.
func (s *stale) write(ctx context.Context, name string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.inner.Get(ctx, name)
	exists := err == nil
	if err := do(); err != nil {
		return err
	}
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return nil // the old state is unknown, so reads cannot return it
	}
	replaced := state{secret: before, exists: exists, reads: s.staleness.Reads}
	if s.staleness.For > 0 {
		replaced.until = s.staleness.Clock().Add(s.staleness.For)
	}
	if s.staleness.Reads > 0 || s.staleness.For > 0 {
		s.older[name] = append(s.older[name], replaced)
	}
	return nil
}

// show returns the older state that this read of name returns, and false if the read
// returns the current one.
func (s *stale) show(name string) (state, bool) {
	states := slices.DeleteFunc(s.older[name], s.over)
	if len(states) == 0 {
		delete(s.older, name)
		return state{}, false
	}
	s.older[name] = states
	back := len(states)
	if s.staleness.Choose != nil {
		back = min(max(s.staleness.Choose(name, len(states)+1), 0), len(states))
	}
	for i := range states {
		states[i].reads--
	}
	if back == 0 {
		return state{}, false
	}
	return states[len(states)-back], true
}

// over reports whether reads have stopped returning a state.
func (s *stale) over(x state) bool {
	if s.staleness.Reads > 0 && x.reads <= 0 {
		return true
	}
	return s.staleness.For > 0 && !s.staleness.Clock().Before(x.until)
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
