package index

import (
	"sync"
	"time"
)

// remembered is how many names a memory keeps at least. An index of entries has
// a new name for each access token, so without a bound it would grow for as
// long as the process lives.
const remembered = 1 << 15

// memory is what a process remembers of the secrets that it has read or
// written: the highest generation of each. It keeps the names that were met
// last: when the younger half is full, the older one is dropped.
type memory struct {
	mu             sync.Mutex
	younger, older map[string]sighting
}

type sighting struct {
	generation int64
	// doubted is when the service first showed an older state in vain.
	doubted time.Time
}

func newMemory() *memory { return &memory{younger: map[string]sighting{}} }

// generation returns the highest generation seen, and whether the name was.
func (m *memory) generation(name string) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.find(name)
	return s.generation, ok
}

func (m *memory) find(name string) (sighting, bool) {
	if s, ok := m.younger[name]; ok {
		return s, true
	}
	s, ok := m.older[name]
	return s, ok
}

// see remembers a generation unless a higher one was seen.
func (m *memory) see(name string, generation int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.find(name)
	m.keep(name, sighting{generation: max(s.generation, generation)})
}

func (m *memory) keep(name string, s sighting) {
	if len(m.younger) >= remembered {
		m.older, m.younger = m.younger, map[string]sighting{}
	}
	m.younger[name] = s
}

// suspect notes that an older state was shown, and reports whether that has
// been so for longer than the given time.
func (m *memory) suspect(name string, now time.Time, longer time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.find(name)
	if s.doubted.IsZero() {
		s.doubted = now
		m.keep(name, s)
		return false
	}
	return now.Sub(s.doubted) > longer
}

func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.younger, name)
	delete(m.older, name)
}
