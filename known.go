package tokenstore

import (
	"slices"
	"sync"
	"time"

	"example.com/tokenstore/index"
)

// maxKnown bounds what a process remembers of secrets and access tokens. Above
// it old memories are dropped, which costs reads and nothing else.
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
	generations map[string]seen     // by secret name
	access      map[string][]string // by hash of the access token: escaped IDs
}

type seen struct {
	generation int64
	live       bool
	deleted    int64     // of a tombstone
	since      time.Time // when this tombstone was seen first, whatever its generation
}

func newKnown(now func() time.Time) *known {
	return &known{now: now, generations: map[string]seen{}, access: map[string][]string{}}
}

// see compares a row with what was seen, and remembers it if it is newer.
func (k *known) see(r *row) freshness {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, ok := k.generations[r.name]
	switch r.state {
	case absent:
		if ok && before.live {
			return gone
		}
		return fresh
	case live, tombstone:
		if ok && r.generation < before.generation {
			return stale
		}
		k.remember(r)
	}
	return fresh
}

// wrote remembers a row that this process has written.
func (k *known) wrote(r *row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, ok := k.generations[r.name]; !ok || before.generation <= r.generation {
		k.remember(r)
	}
}

func (k *known) remember(r *row) {
	shrink(k.generations)
	s := seen{generation: r.generation, live: r.state == live, deleted: r.deleted}
	if r.state == tombstone {
		if s.since = k.now(); k.generations[r.name].deleted == r.deleted {
			s.since = k.generations[r.name].since
		}
	}
	k.generations[r.name] = s
}

// since returns when this process has seen a tombstone first.
func (k *known) since(r *row) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before := k.generations[r.name]; before.deleted == r.deleted {
		return before.since
	}
	return k.now()
}

// generation returns the highest generation that was seen of a secret.
func (k *known) generation(name string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.generations[name].generation
}

func (k *known) forget(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.generations, name)
}

// learn remembers the access token of a live row, if the index leaves it out.
func (k *known) learn(s *SecretStore, r *row) {
	if s.accessIndex || r.token.AccessToken == "" {
		return
	}
	hash := s.hash(Key{Kind: index.Access, Value: r.token.AccessToken})
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.access[hash], r.id) {
		shrink(k.access)
		k.access[hash] = append(k.access[hash], r.id)
	}
}

// holders returns the escaped IDs of rows that were seen with the access token.
func (k *known) holders(hash string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.access[hash])
}

// shrink makes room in a map that has reached maxKnown.
func shrink[V any](m map[string]V) {
	if len(m) < maxKnown {
		return
	}
	for name := range m {
		delete(m, name)
		if len(m) <= maxKnown/2 {
			return
		}
	}
}
