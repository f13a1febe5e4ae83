// What this process remembers of each secret: its own last write, which spares its other
// writers a call, and the latest version seen, which shows that one was put back.

package awssm

import (
	"context"
	"slices"
	"time"
)

// recentFor is how long this process remembers its own writes.
const recentFor = time.Minute

// outdatedFor is how long a revision that this process has replaced is refused without a
// call. After that a person may have made it current again.
const outdatedFor = 5 * time.Second

// write is this process's last write to a secret.
type write struct {
	revision string
	at       time.Time
	replaced []string // the revisions that it has replaced since
}

// sighting is the latest current version of a secret that this process knows.
type sighting struct {
	id      string
	created time.Time // by the service's clock, its own or an earlier version's
	over    string    // the version that this process replaced with it
	at      time.Time // when it was last seen, by our clock
}

// settled is how long a read may be stale.
const settled = 5 * time.Second

// sight records a version that was read, and reports whether somebody has put it back:
// this process saw a later one, too long ago for a stale read.
func (s *secrets) sight(encoded string, v version) (restored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.set.now()
	last, known := s.sighted.Get(encoded)
	if known && v.id != last.id && (v.id == last.over || v.created.Before(last.created)) {
		return now.Sub(last.at) >= settled
	}
	next := sighting{id: v.id, created: v.created, at: now}
	if v.id == last.id {
		next.over = last.over
	}
	s.sighted.Put(encoded, next)
	return false
}

// acquire waits until this process has no other write to the secret in progress. The
// later one then learns from outdated, without a call, that its revision was replaced; and
// with an emulator a process's writers would take their label from each other.
func (s *secrets) acquire(ctx context.Context, encoded string) (release func(), err error) {
	return s.locks.Lock(ctx, encoded)
}

// remember records a write.
func (s *secrets) remember(encoded, base, revision string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) >= max(s.crowded, 1024) {
		for name, w := range s.recent {
			if at.Sub(w.at) > recentFor {
				delete(s.recent, name)
			}
		}
		s.crowded = 2 * len(s.recent) // Many are recent: looking through them at each write would take long.
	}
	w := s.recent[encoded]
	if at.Sub(w.at) > outdatedFor || len(w.replaced) >= 64 {
		w.replaced = nil
	}
	s.recent[encoded] = write{revision, at, append(w.replaced, base)}
	last, _ := s.sighted.Get(encoded)
	s.sighted.Put(encoded, sighting{id: revision, created: last.created, over: base, at: s.set.now()})
}

// wrote returns this process's last write to a secret.
func (s *secrets) wrote(encoded string) write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent[encoded]
}

// outdated reports whether this process itself has just replaced a revision: then its
// other writers need not store a version to learn that from the service.
func (s *secrets) outdated(encoded, revision string) bool {
	w := s.wrote(encoded)
	return revision != "" && s.set.now().Sub(w.at) < outdatedFor && slices.Contains(w.replaced, revision)
}
