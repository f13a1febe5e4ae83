// The memory of a process. It keeps stale reads from being mistaken for current ones, and
// saves calls; nothing else depends on it.

package secretstore

import (
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/recent"
	"example.com/tokenstore/internal/staleness"
)

// known is the memory of a process: the states of tokens, so that reads never go
// backwards; their highest generations, so that it notices when older content is put
// back; when it first saw a tombstone; which secrets are foreign; and which rows have a key
// that the index may lack, so that a find by it is cheap.
//
// It is bounded: each of the maps, and that of states, has at most 2 * recent.Half entries,
// which makes some 250 bytes for each token that was met, 400 with a key that the index lacks,
// and less than 30 MiB for any number of tokens. The index has a bound of its own for the
// documents that it keeps decoded.
type known struct {
	states *staleness.Memory // by secret name

	now        func() time.Time
	mu         sync.Mutex
	tombstones recent.Map[burial]   // by secret name
	counts     recent.Map[counted]  // by secret name
	strangers  recent.Map[stranger] // by secret name
	keys       recent.Map[string]   // by hash of a key that the index may lack: escaped IDs, with spaces between
}

// counted is the highest generation of a secret that was seen, and in which turn of keys the
// keys of its latest revision were remembered: until the next turn they need not be hashed
// again, which is a good part of what a find costs.
type counted struct {
	highest int64
	learned uint32 // see turn
}

// turn returns the number of the current turn of keys, never zero: another one begins when
// older keys have been dropped, and when this process learns that the index leaves out more.
// The caller holds the lock.
func (k *known) turn(s *Store) uint32 {
	turn := 2 * (k.keys.Turn() + 1)
	if s.rotates.Load() {
		turn++
	}
	return turn
}

// stranger is a secret that is not the store's, by what the index said of it then.
type stranger struct {
	revision string
	since    time.Time
}

// strangerLife is how long that counts. The index may have been read from a list that was
// late, or have been lost and put back.
const strangerLife = time.Hour

// burial is a deletion, and when this process first saw its tombstone, of any
// generation.
type burial struct {
	deleted int64
	since   time.Time
}

func newKnown(now func() time.Time) *known {
	return &known{states: staleness.NewMemory(now), now: now}
}

// seen returns the state of the secret from which a row was read.
func (r *row) seen() staleness.State {
	return staleness.State{Revision: r.revision, Generation: r.generation, Uncounted: r.uncounted, Empty: r.state == absent || r.state == tombstone}
}

// see compares a row with the latest state of it that was seen, and remembers it if it is
// fresh; asked is when the read began. Rows that are not the store's have no order. If a
// row with a higher generation was seen before, but this one stays, its content was put
// back.
func (k *known) see(r *row, asked time.Time) (staleness.Order, staleness.Sighting) {
	if r.state == foreign || r.state == unreadable {
		return staleness.Fresh, staleness.Sighting{}
	}
	if r.state == tombstone {
		k.since(r)
	}
	if k.count(r) > r.generation && !r.uncounted {
		r.restored = true
	}
	order, before := k.states.See(r.name, r.seen(), asked)
	if r.again = before.Revision == r.revision; !r.again {
		k.unlearn(r)
	}
	return order, before
}

// unlearn notes that the keys of a revision that was never seen before are not remembered.
func (k *known) unlearn(r *row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.counts.Get(r.name); ok && c.learned != 0 {
		c.learned = 0
		k.counts.Put(r.name, c)
	}
}

// since returns when this process first saw a tombstone.
func (k *known) since(r *row) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, ok := k.tombstones.Get(r.name)
	if !ok || b.deleted != r.deleted {
		b = burial{r.deleted, k.now()}
		k.tombstones.Put(r.name, b)
	}
	return b.since
}

// count records the generation of a row, and returns the highest one seen.
func (k *known) count(r *row) int64 {
	if r.state == absent {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c, there := k.counts.Use(r.name)
	if !r.uncounted && (!there || r.generation > c.highest) {
		c.highest = r.generation
		k.counts.Put(r.name, c)
	}
	return c.highest
}

// highest returns the highest generation of a secret that was seen.
func (k *known) highest(name string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, _ := k.counts.Get(name)
	return c.highest
}

// foreign remembers that a secret, in its current state, is foreign.
func (k *known) foreign(r *row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.strangers.Put(r.name, stranger{r.revision, k.now()})
}

// isForeign reports whether a secret is known to be foreign.
func (k *known) isForeign(r *row) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, ok := k.strangers.Get(r.name)
	return ok && was.revision == r.revision && k.now().Sub(was.since) < strangerLife
}

// wrote remembers a row that this process has written.
func (k *known) wrote(s *Store, r *row) {
	k.states.Wrote(r.name, r.seen())
	k.count(r)
	switch r.state {
	case live:
		k.learn(s, r)
	case tombstone:
		k.since(r)
	}
}

// learn remembers the keys of a live row that the index may lack.
func (k *known) learn(s *Store, r *row) {
	k.mu.Lock()
	c, there := k.counts.Get(r.name)
	turn := k.turn(s)
	k.mu.Unlock()
	if r.again && c.learned == turn {
		return
	}
	if access := r.token.AccessToken; access != "" && s.mayLackAccess() {
		k.hold(s.hash(tokenstore.Key{Kind: tokenstore.AccessKey, Value: access}), r.id)
	}
	if refresh := r.token.RefreshToken; refresh != "" && r.token.UserName != "" && s.rotates.Load() {
		k.hold(s.hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: refresh}), r.id)
	}
	if there {
		k.mu.Lock()
		defer k.mu.Unlock()
		c, _ = k.counts.Get(r.name)
		c.learned = turn
		k.counts.Put(r.name, c)
	}
}

// maxHolders limits how many rows are remembered of one key.
const maxHolders = 16

func (k *known) hold(hash, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	held, _ := k.keys.Get(hash)
	switch ids := strings.Fields(held); {
	case len(ids) == 0:
		held = id // The usual case, which takes no memory of its own.
	case !slices.Contains(ids, id):
		ids = append(ids, id)
		held = strings.Join(ids[max(0, len(ids)-maxHolders):], " ")
	}
	k.keys.Put(hash, held)
}

// holders returns the escaped IDs of the rows that were seen with a key, by its hash, that
// the index may lack: of very many, the last ones.
func (k *known) holders(hash string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, _ := k.keys.Get(hash)
	return strings.Fields(ids)
}
