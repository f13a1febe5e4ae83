package tokenstore

import (
	"slices"
	"sync"
	"time"

	"example.com/tokenstore/index"
)

// maxKnown bounds what a process remembers of secrets and of access tokens: at
// most so many of each, and at least the half of them that were met last.
const maxKnown = 1 << 16

// freshness is how a row compares with what this process has seen of it.
type freshness int

const (
	fresh freshness = iota // as new as anything seen
	stale                  // older than what was seen
	gone                   // a live row was seen, and there is nothing now
)

// known is what a process remembers, so that no reader goes backwards, and that
// a find by an access token that is not in the index is cheap.
type known struct {
	now         func() time.Time
	mu          sync.Mutex
	generations recent[seen]     // by secret name
	access      recent[[]string] // by hash of the access token: escaped IDs
}

type seen struct {
	generation int64
	live       bool
	uncounted  string    // the revision of a row without a generation of its own
	deleted    int64     // of a tombstone
	since      time.Time // when this state was seen first; of a tombstone, whatever its generation
}

// see compares a row with what was seen, and remembers it if it is newer.
func (k *known) see(r *row) freshness {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, ok := k.generations.get(r.name)
	switch r.state {
	case absent:
		if ok && before.live {
			return gone
		}
		return fresh
	case live, tombstone:
		switch {
		case !ok:
		case r.uncounted && r.revision == before.uncounted:
			return fresh // Its generation is the one that it was given first.
		case k.behind(r, before):
			return stale
		}
		k.remember(r)
	}
	return fresh
}

// behind reports whether the row is, or may be, older than what was seen. No
// generation tells the order of a row from which a person has removed it and of
// the rows before and after. So either counts as older for as long as the service
// may show what was overwritten when the other was seen; the reader then looks
// again, and takes what stays.
func (k *known) behind(r *row, before seen) bool {
	if !r.uncounted && before.uncounted == "" {
		return r.generation < before.generation
	}
	return (r.uncounted || r.generation < before.generation) && k.now().Sub(before.since) < staleFor
}

// wrote remembers a row that this process has written.
func (k *known) wrote(r *row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, ok := k.generations.get(r.name); !ok || before.generation <= r.generation {
		k.remember(r)
	}
}

// accept remembers a row although it seems to be older than what was seen.
func (k *known) accept(r *row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remember(r)
}

func (k *known) remember(r *row) {
	s := seen{generation: r.generation, live: r.state == live, deleted: r.deleted, since: k.now()}
	if r.uncounted {
		s.uncounted = r.revision
	}
	before, ok := k.generations.get(r.name)
	if ok && s.live == before.live && s.uncounted == before.uncounted &&
		s.deleted == before.deleted && (!s.live || s.generation == before.generation) {
		s.since = before.since
	}
	k.generations.put(r.name, s)
}

// since returns when this process has seen a tombstone first.
func (k *known) since(r *row) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, _ := k.generations.get(r.name); before.deleted == r.deleted {
		return before.since
	}
	return k.now()
}

// generation returns the highest generation that was seen of a secret.
func (k *known) generation(name string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, _ := k.generations.get(name)
	return s.generation
}

func (k *known) forget(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generations.drop(name)
}

// learn remembers the access token of a live row, if the index leaves it out.
func (k *known) learn(s *SecretStore, r *row) {
	if s.accessIndex || r.token.AccessToken == "" {
		return
	}
	hash := s.hash(Key{Kind: index.Access, Value: r.token.AccessToken})
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, _ := k.access.get(hash)
	if !slices.Contains(ids, r.id) {
		ids = append(ids, r.id)
	}
	k.access.put(hash, ids)
}

// holders returns the escaped IDs of rows that were seen with the access token.
func (k *known) holders(hash string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, _ := k.access.get(hash)
	return slices.Clone(ids)
}

// recent is a map of what was put last: when the younger half is full, the older
// one is dropped. The zero value is empty.
type recent[V any] struct {
	younger, older map[string]V
}

func (m *recent[V]) get(name string) (V, bool) {
	if v, ok := m.younger[name]; ok {
		return v, true
	}
	v, ok := m.older[name]
	return v, ok
}

func (m *recent[V]) put(name string, v V) {
	if m.younger == nil || len(m.younger) >= maxKnown/2 {
		m.younger, m.older = map[string]V{}, m.younger
	}
	m.younger[name] = v
}

func (m *recent[V]) drop(name string) {
	delete(m.younger, name)
	delete(m.older, name)
}
