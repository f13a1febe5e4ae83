// What a process remembers of secrets, and how two states of one compare.

package staleness

import (
	"sync"
	"time"

	"example.com/tokenstore/internal/recent"
)

// State is the state of a secret, as a read returned it or a write left it.
type State struct {
	// Revision is the driver's; it is empty if the secret does not exist.
	Revision string
	// Generation counts the writes of the secret.
	Generation int64
	// Uncounted reports that the secret has lost its generation, for example in a
	// person's edit, so that Generation says nothing about the order.
	Uncounted bool
	// Empty reports that the secret is a tombstone or does not exist.
	Empty bool
}

// Sighting is the latest state seen of a secret, and when it was first seen.
type Sighting struct {
	State
	Since time.Time
}

// Order is how a state compares with the latest one seen.
type Order int

// The orders.
const (
	Fresh    Order = iota // the same state, or a later one
	Doubtful              // it is unknown which of the two is the later one
	Older                 // an earlier state
)

// Memory remembers the latest state of each secret that this process has read or
// written. Of very many secrets it keeps the most recent ones.
type Memory struct {
	now  func() time.Time
	mu   sync.Mutex
	seen recent.Map[Sighting]
}

// NewMemory returns an empty memory that uses the given clock.
func NewMemory(now func() time.Time) *Memory { return &Memory{now: now} }

// See compares a state that was read with the latest one seen, which it returns, and
// remembers the state if it is fresh. asked is when the read began: a slow answer may
// show the state at that time.
func (m *Memory) See(name string, s State, asked time.Time) (Order, Sighting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, ok := m.seen.Use(name)
	switch {
	case !ok && s.Revision == "": // There is nothing to remember.
	case !ok:
		m.remember(name, s)
	case s.Revision == "" && before.Empty, s.Revision != "" && s.Revision == before.Revision:
		// The same state, seen again.
	default:
		if order := order(s, before, asked); order != Fresh {
			return order, before
		}
		m.remember(name, s)
	}
	return Fresh, before
}

// order compares a state that was read with a different one seen before. If the
// generations do not decide, the state that was read is the later one once the service
// can no longer return anything that was overwritten before the other was seen. A
// secret that no longer exists has no generation: what was read may be older, however
// high its generation is.
func order(s State, before Sighting, asked time.Time) Order {
	gone := before.Empty && before.Revision == ""
	counted := s.Revision != "" && !gone && !s.Uncounted && !before.Uncounted && s.Generation != before.Generation
	switch {
	case counted && s.Generation > before.Generation:
		return Fresh
	case counted && before.Revision != "":
		return Older
	case asked.Sub(before.Since) < Patience:
		return Doubtful
	}
	return Fresh
}

// Wrote remembers a state that this process has written, unless it has seen a later one
// in the meantime.
func (m *Memory) Wrote(name string, s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, ok := m.seen.Get(name); !ok || before.Generation <= s.Generation {
		m.remember(name, s)
	}
}

// Removed remembers that this process has removed a secret with that revision, unless
// it has seen another one in the meantime.
func (m *Memory) Removed(name, revision string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, _ := m.seen.Get(name); before.Revision == revision {
		m.remember(name, State{Empty: true})
	}
}

// Expect remembers that a secret exists, if nothing is known about it.
func (m *Memory) Expect(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.seen.Get(name); !ok {
		m.remember(name, State{})
	}
}

// Accept remembers a state although it was not fresh, if the latest one seen is still
// the one that See returned. It reports whether it did.
func (m *Memory) Accept(name string, s State, seen Sighting) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now, _ := m.seen.Get(name); now != seen {
		return false
	}
	m.remember(name, s)
	return true
}

// remember keeps the generation of a secret that no longer exists, so that the next
// secret with its name can count on from there.
func (m *Memory) remember(name string, s State) {
	if s.Revision == "" {
		before, _ := m.seen.Get(name)
		s.Generation, s.Uncounted = before.Generation, false
	}
	m.seen.Put(name, Sighting{s, m.now()})
}

// Generation returns the generation of the latest state seen.
func (m *Memory) Generation(name string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.seen.Get(name)
	return s.Generation
}

// Revision returns that of the latest state that was seen, empty if there is none.
func (m *Memory) Revision(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.seen.Get(name)
	return s.Revision
}
