// The latest known state of each secret of the index, so that a process never mistakes an
// older state, as a stale service shows it, for the current one.

package index

import (
	"sync"
	"time"

	"example.com/tokenstore/internal/recent"
	"example.com/tokenstore/internal/staleness"
)

// memory is what a process remembers of the secrets that it has read or written.
type memory struct {
	*staleness.Memory

	mu sync.Mutex
	// doubted holds, by name, since when the service has shown an older state of a
	// secret; zero if it shows the latest.
	doubted recent.Map[time.Time]
}

func newMemory(now func() time.Time) *memory {
	return &memory{Memory: staleness.NewMemory(now)}
}

// seen returns the state of the secret that an object was read from.
func (o object) seen() staleness.State {
	return staleness.State{Revision: o.revision, Generation: o.generation, Uncounted: o.exists() && o.generation == 0, Empty: !o.exists()}
}

// see compares an object that was read with the latest state of it that was seen.
// asked is when the read began.
func (m *memory) see(o object, asked time.Time) (staleness.Order, staleness.Sighting) {
	s := o.seen()
	if s.Uncounted {
		s.Generation = m.Generation(o.name) // The next write counts on from there.
	}
	order, latest := m.See(o.name, s, asked)
	if order == staleness.Fresh {
		m.mu.Lock()
		defer m.mu.Unlock()
		if since, _ := m.doubted.Get(o.name); !since.IsZero() {
			m.doubted.Put(o.name, time.Time{})
		}
	}
	return order, latest
}

// suspect records that an older state was shown, and reports whether the service has
// shown one for longer than the given time.
func (m *memory) suspect(name string, now time.Time, longer time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, _ := m.doubted.Get(name)
	if since.IsZero() {
		m.doubted.Put(name, now)
		return false
	}
	return now.Sub(since) > longer
}
