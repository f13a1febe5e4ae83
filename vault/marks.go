package vault

import (
	"sync"
	"time"
)

// maxMarks bounds the memory for marks.
const maxMarks = 100_000

// marks are the deleted names that this process has met. They are only hints:
// whoever uses one looks at the secret itself.
type marks struct {
	mu     sync.Mutex
	byName map[string]marked
	oldest time.Time // no mark was written before
}

type marked struct {
	revision
	at time.Time
}

func newMarks() *marks { return &marks{byName: map[string]marked{}} }

// saw takes note of what a read has shown.
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

// takeOld takes out up to n marks that were written before the given time.
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
			return taken // There are more: the bound stays.
		}
		taken[name] = mark.revision
		delete(m.byName, name)
	}
	m.oldest = before
	return taken
}
