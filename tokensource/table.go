// From a query to what the process knows of the token that it finds, without a lock: a call for a
// good token does nothing else.

package tokensource

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"example.com/tokenstore"
)

// key is the part of a query that decides what it finds, by the rules of the contract.
type key struct {
	id, user, access, grant, refresh string
}

func keyOf(q *tokenstore.OAuthToken) key {
	k := key{id: q.ID}
	switch {
	case q.UserName != "":
		k.user = q.UserName
	case q.AccessToken != "" && q.ClientID == "" && q.ClientSecret == "":
		k.access = q.AccessToken
	case q.ClientID != "" && q.ClientSecret != "":
		k.grant, k.refresh = q.GrantToken, q.RefreshToken
	}
	return k
}

// holds reports whether t is still what a query with this key can find.
func (k *key) holds(t *tokenstore.OAuthToken) bool {
	switch {
	case k.id != "" && k.id == t.ID:
		return true
	case k.user != "":
		return k.user == t.UserName
	case k.access != "":
		return k.access == t.AccessToken
	}
	return k.grant != "" && k.grant == t.GrantToken || k.refresh != "" && k.refresh == t.RefreshToken
}

// hash hashes the first string, which is nearly always the only one.
func (k *key) hash(seed maphash.Seed) uint64 {
	for _, text := range []*string{&k.id, &k.user, &k.access, &k.refresh} {
		if *text != "" {
			return maphash.String(seed, *text)
		}
	}
	return maphash.String(seed, k.grant)
}

// table is a hash table that is read without a lock.
type table struct {
	seed    maphash.Seed
	buckets atomic.Pointer[[]atomic.Pointer[node]]

	mu sync.Mutex // one writer at a time
	n  int
}

// node is one query's entry; it never changes.
type node struct {
	key   key
	hash  uint64
	entry *entry
	next  *node
}

const firstBuckets = 64

func (t *table) init() {
	t.seed = maphash.MakeSeed()
	buckets := make([]atomic.Pointer[node], firstBuckets)
	t.buckets.Store(&buckets)
}

// load returns the entry of a query, or nil.
func (t *table) load(q *tokenstore.OAuthToken) *entry {
	k := keyOf(q)
	return t.get(&k)
}

func (t *table) get(k *key) *entry {
	h := k.hash(t.seed)
	buckets := *t.buckets.Load()
	for n := buckets[h%uint64(len(buckets))].Load(); n != nil; n = n.next {
		if n.hash == h && n.key == *k {
			return n.entry
		}
	}
	return nil
}

// put sets the entry of a query.
func (t *table) put(k key, e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(k)
	if t.n >= len(*t.buckets.Load()) {
		t.rebuild(2*t.n, func(*node) bool { return true })
	}
	t.add(*t.buckets.Load(), k, k.hash(t.seed), e)
}

func (t *table) add(buckets []atomic.Pointer[node], k key, h uint64, e *entry) {
	head := &buckets[h%uint64(len(buckets))]
	head.Store(&node{k, h, e, head.Load()})
	t.n++
}

// forget removes a query, if its entry is e.
func (t *table) forget(k key, e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.get(&k) == e {
		t.remove(k)
	}
}

// remove replaces the chain that has the key by one without it.
func (t *table) remove(k key) {
	if t.get(&k) == nil {
		return
	}
	buckets := *t.buckets.Load()
	head := &buckets[k.hash(t.seed)%uint64(len(buckets))]
	var kept *node
	for n := head.Load(); n != nil; n = n.next {
		if n.key != k {
			kept = &node{n.key, n.hash, n.entry, kept}
		}
	}
	head.Store(kept)
	t.n--
}

// keep removes every query for which keep is false.
func (t *table) keep(keep func(key, *entry) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rebuild(len(*t.buckets.Load()), func(n *node) bool { return keep(n.key, n.entry) })
}

func (t *table) rebuild(size int, keep func(*node) bool) {
	old := *t.buckets.Load()
	buckets := make([]atomic.Pointer[node], size)
	t.n = 0
	for i := range old {
		for n := old[i].Load(); n != nil; n = n.next {
			if keep(n) {
				t.add(buckets, n.key, n.hash, n.entry)
			}
		}
	}
	t.buckets.Store(&buckets)
}

// len returns the number of queries.
func (t *table) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}
