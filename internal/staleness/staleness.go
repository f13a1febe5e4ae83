// Package staleness keeps a process from going backwards where a service may
// show, for a while after a write, what was there before.
package staleness

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/recent"
)

const (
	// maxReads is how often a secret is read again that may be older than what was
	// seen of it.
	maxReads = 8
	// firstWait is the first pause between such reads; it doubles.
	firstWait = 10 * time.Millisecond
	// patience is how long they take, and so how long a service is expected to show
	// what was overwritten.
	patience = firstWait << maxReads
	// maxRounds is how often the reads of a secret begin anew because a later state
	// of it was seen meanwhile.
	maxRounds = 4
)

// ErrBehind is the error of a service that goes on showing older states.
var ErrBehind = fmt.Errorf("%w: the service shows an older state than before", driver.ErrUnavailable)

// CatchUp calls see, which reads a secret and compares it with what was seen, until
// the service shows a fresh state. What stays for longer than any service is
// expected to be stale is for accept to decide on, with what was seen when the
// reads began: it reports whether that state is taken, which it is not if a later
// one was seen meanwhile.
func CatchUp(
	ctx context.Context, sleep func(context.Context, time.Duration) error,
	see func(context.Context) (Order, Sighting, error), accept func(Order, Sighting) (bool, error),
) error {
	for range maxRounds {
		var before Sighting
		wait := firstWait
		for reads := 0; ; reads++ {
			order, latest, err := see(ctx)
			if err != nil || order == Fresh {
				return err
			}
			if reads == 0 {
				before = latest
			}
			if reads == maxReads {
				if accepted, err := accept(order, before); accepted || err != nil {
					return err
				}
				break
			}
			if err := sleep(ctx, wait); err != nil {
				return err
			}
			wait *= 2
		}
	}
	return ErrBehind
}

// State is what a read has shown of a secret, or a write has made of it.
type State struct {
	// Revision is the driver's; it is empty if the secret is not there.
	Revision string
	// Generation counts the writes.
	Generation int64
	// Uncounted says that the secret has lost its generation, as a person's edit
	// may do: what stands here tells no order.
	Uncounted bool
	// Empty says that the secret holds nothing, or is not there.
	Empty bool
}

// Sighting is the latest state that was seen of a secret, and since when.
type Sighting struct {
	State
	Since time.Time
}

// Order is how a state compares with the latest that was seen.
type Order int

// The orders.
const (
	Fresh    Order = iota // the same state, or a later one
	Doubtful              // nothing tells which of the two is the later one
	Older                 // a state from before
)

// Memory remembers the latest state of each secret that a process has read or
// written: of very many, those that it met last.
type Memory struct {
	now  func() time.Time
	mu   sync.Mutex
	seen recent.Map[Sighting]
}

// NewMemory returns an empty memory with a clock.
func NewMemory(now func() time.Time) *Memory { return &Memory{now: now} }

// See compares a state that was read with the latest one seen, which it returns,
// and remembers it if it is fresh. asked is when the read began: a slow answer
// may show what was there then.
func (m *Memory) See(name string, s State, asked time.Time) (Order, Sighting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, ok := m.seen.Get(name)
	switch {
	case !ok && s.Revision == "": // Nothing was ever seen.
	case !ok:
		m.remember(name, s)
	case s.Revision == "" && before.Empty, s.Revision != "" && s.Revision == before.Revision:
		m.seen.Put(name, before) // The same: it was met again.
	default:
		if order := order(s, before, asked); order != Fresh {
			return order, before
		}
		m.remember(name, s)
	}
	return Fresh, before
}

// order compares two different states. Where no generation tells it, the one that
// is read is the later one if the service could not show any more what was there
// before the other was seen. What is gone has none: what is read may be from
// before, however high its generation is.
func order(s State, before Sighting, asked time.Time) Order {
	gone := before.Empty && before.Revision == ""
	counted := s.Revision != "" && !gone && !s.Uncounted && !before.Uncounted && s.Generation != before.Generation
	switch {
	case counted && s.Generation > before.Generation:
		return Fresh
	case counted && before.Revision != "":
		return Older
	case asked.Sub(before.Since) < patience:
		return Doubtful
	}
	return Fresh
}

// Wrote remembers a state that this process has written, unless it has seen a
// later one meanwhile.
func (m *Memory) Wrote(name string, s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, ok := m.seen.Get(name); !ok || before.Generation <= s.Generation {
		m.remember(name, s)
	}
}

// Removed remembers that this process has removed a secret of that revision,
// unless it has seen another one meanwhile.
func (m *Memory) Removed(name, revision string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, _ := m.seen.Get(name); before.Revision == revision {
		m.remember(name, State{Empty: true})
	}
}

// Expect remembers that a secret is there, if nothing is known of it.
func (m *Memory) Expect(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.seen.Get(name); !ok {
		m.remember(name, State{})
	}
}

// Accept remembers a state although it was not fresh, if the latest one that was
// seen still is what See returned; it reports whether it has.
func (m *Memory) Accept(name string, s State, seen Sighting) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now, _ := m.seen.Get(name); now != seen {
		return false
	}
	m.remember(name, s)
	return true
}

// remember keeps the generation of what is gone, so that what follows it can count
// on.
func (m *Memory) remember(name string, s State) {
	if s.Revision == "" {
		before, _ := m.seen.Get(name)
		s.Generation, s.Uncounted = before.Generation, false
	}
	m.seen.Put(name, Sighting{s, m.now()})
}

// Generation returns that of the latest state that was seen.
func (m *Memory) Generation(name string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.seen.Get(name)
	return s.Generation
}
