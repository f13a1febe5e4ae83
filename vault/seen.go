// What a process remembers of the secrets it has met, to save calls. It is only a hint:
// its users check the secret itself.

package vault

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxMarks limits how many marks are remembered.
const maxMarks = 100_000

// marks are the deleted names that this process has met. They are only hints: their users
// check the secret itself.
type marks struct {
	mu     sync.Mutex
	byName map[string]marked
	oldest time.Time // the earliest time at which a mark may have been written
}

type marked struct {
	revision
	at time.Time
}

func newMarks() *marks { return &marks{byName: map[string]marked{}} }

// saw records the result of a read.
func (m *marks) saw(name string, st state) {
	if st.stage() == "" {
		m.forget(name)
		return
	}
	m.add(name, st.revision)
}

func (m *marks) add(name string, r revision) {
	at, err := time.Parse(time.RFC3339Nano, r.created)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.byName) == maxMarks {
		return
	}
	if len(m.byName) == 0 || at.Before(m.oldest) {
		m.oldest = at
	}
	m.byName[name] = marked{r, at}
}

func (m *marks) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byName, name)
}

func (m *marks) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.byName[name]
	return ok
}

// takeOld removes and returns up to n marks that were written before the given time.
func (m *marks) takeOld(before time.Time, n int) map[string]revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.oldest.Before(before) {
		return nil
	}
	taken := map[string]revision{}
	for name, mark := range m.byName {
		if !mark.at.Before(before) {
			continue
		}
		if len(taken) == n {
			return taken // More are left, so oldest stays.
		}
		taken[name] = mark.revision
		delete(m.byName, name)
	}
	m.oldest = before
	return taken
}

// maxShapes limits how many shapes are remembered.
const maxShapes = 20_000

// shapes are the names of versions' fields, without the values: a patch has to name the
// fields to remove. Only the last version seen of each secret is kept. Secrets of one kind
// share the string.
type shapes struct {
	mu     sync.Mutex
	byName map[string]shape
	shared map[string]string
}

type shape struct {
	version int64
	fields  string // names, with line breaks between
}

func newShapes() *shapes { return &shapes{byName: map[string]shape{}, shared: map[string]string{}} }

// names returns the names of fields, sorted.
func names(fields map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(fields)) }

// saw records the result of a read.
func (s *shapes) saw(name string, st state) {
	if st.fields != nil {
		s.set(name, st.version, names(st.fields))
	}
}

func (s *shapes) set(name string, version int64, fields []string) {
	joined := strings.Join(fields, "\n")
	if strings.Count(joined, "\n") != max(len(fields)-1, 0) {
		return // A name contains a line break.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byName) >= maxShapes {
		clear(s.byName)
		clear(s.shared)
	}
	text, ok := s.shared[joined]
	if !ok {
		text = joined
		s.shared[joined] = joined
	}
	s.byName[name] = shape{version, text}
}

// of returns the names of the fields of one version, or false if they are not known.
func (s *shapes) of(name string, version int64) ([]string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.byName[name]
	if !ok || found.version != version {
		return nil, false
	}
	if found.fields == "" {
		return nil, true
	}
	return strings.Split(found.fields, "\n"), true
}
