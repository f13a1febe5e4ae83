// A token's secret in memory, and the rules for its successor: updates, fences, tombstones,
// generations and digests.

package secretstore

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/escape"
)

// maxGeneration is higher than any token gets, and leaves room to count.
const maxGeneration = 1 << 52

// state says what a token's secret holds.
type state int

const (
	absent     state = iota
	live             // a token
	tombstone        // a deleted token
	unmarked         // nothing in it shows whether it is the store's: see recognise
	foreign          // not the store's
	damaged          // the store's, but no usable token until it is saved or deleted
	unreadable       // the role may not read it, or a later release wrote it
)

// row is a token's secret as read.
type row struct {
	name     string // of the secret
	id       string // escaped, as in hints
	state    state
	revision string
	token    tokenstore.OAuthToken
	bookkeeping
	uncounted bool          // the secret has no generation; the row got one when it was read
	restored  bool          // older content was put back
	opaque    bool          // the secret is not a JSON object
	again     bool          // this process has seen this revision before
	object    driver.Object // the secret's fields; data decides which of them are kept
	err       error         // the reason why a row is damaged or unreadable
}

// barred reports whether the keys of the row are unknown.
func (r *row) barred() bool { return r.state == damaged || r.state == unreadable }

// fault returns the error of an operation that needs a barred row.
func (r *row) fault() error {
	kind := tokenstore.Kind(r.err)
	if kind == nil {
		kind = tokenstore.ErrUnreadable
	}
	return &tokenstore.Error{Op: "read", Name: tokenstore.Redact(r.id), Kind: kind, Err: r.err}
}

// holds reports whether the row is a hit for the key.
func (r *row) holds(k tokenstore.Key) bool { return r.state == live && tokenstore.Holds(r.token, k) }

// older orders rows by age, and by ID if they are equally old.
func older(a, b *row) int {
	return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(a.id, b.id))
}

// parse parses a secret. It never fails: the state of the row says what the secret is.
func (s *Store) parse(id string, secret driver.Secret) *row {
	r := &row{name: secret.Name, id: id, state: unmarked, revision: secret.Revision, restored: secret.Restored}
	var err error
	r.object, err = driver.DecodeObject(secret.Data)
	r.opaque = err != nil
	r.read(r.object)
	if r.generation == 0 || r.generation > maxGeneration {
		// A person has removed or changed it. The next write must not be older than hints
		// of earlier generations.
		r.uncounted, r.generation = true, max(s.now().Unix()-1, s.known.highest(r.name))
	}
	s.recognise(r, evidence{})
	return r
}

// written returns the row to write for token t. The generation counts on from that of r.
func (s *Store) written(r *row, t tokenstore.OAuthToken) *row {
	next := *r
	next.state, next.token, next.err = live, t.Normal(), nil
	next.uncounted, next.restored, next.opaque = false, false, false
	next.object = driver.Object{}
	if r.state == live || r.state == damaged {
		next.object = r.object.Clone()
	}
	if r.inserts() {
		next.created, next.deleted = s.timestamp(), 0
	}
	tokenstore.EncodeFields(next.token, &next.object)
	next.generation = s.nextGeneration(r)
	next.digest = s.digest(r.id, t)
	return &next
}

// inserts reports whether a token that replaces the row is a new one.
func (r *row) inserts() bool { return r.state != live && (r.state != damaged || r.created == 0) }

// fenced returns the row as a fence writes it: unchanged, but with a generation above its
// own and not below that of the fenced hint. If there is no secret, the fence is a
// tombstone. An edited row stays edited, and a damaged one damaged.
func (s *Store) fenced(r *row, generation int64) *row {
	generation = max(s.nextGeneration(r), generation)
	switch r.state {
	case live:
		next := *r
		next.generation, next.uncounted, next.restored = generation, false, false
		if s.edited(r) { // It must still count as edited.
			next.digest = s.lastMark(r) + editedDigest
		}
		return &next
	case damaged:
		next := *r
		next.generation = generation
		return &next
	case tombstone: // It keeps its time of deletion.
		return r.tombstone(generation, r.deleted)
	}
	return s.buried(r, generation)
}

// buried returns the tombstone that replaces r, deleted now.
func (s *Store) buried(r *row, generation int64) *row {
	return r.tombstone(generation, s.now().UnixMicro())
}

// tombstone returns the tombstone that replaces r. The time of deletion is in
// microseconds.
func (r *row) tombstone(generation, deleted int64) *row {
	return &row{name: r.name, id: r.id, state: tombstone, revision: r.revision,
		bookkeeping: bookkeeping{generation: generation, deleted: deleted}}
}

// nextGeneration returns the generation of the next write of r. A new row starts at the
// clock's seconds, so that its generation is higher than that of an earlier row of the
// same name whose tombstone was removed; and higher than any that this process has seen,
// which may have counted faster than the clock. The same holds for a restored row, which
// has its old generation.
func (s *Store) nextGeneration(r *row) int64 {
	if r.state == absent || r.restored {
		return max(s.now().Unix(), s.known.highest(r.name)+1, r.generation+1)
	}
	return r.generation + 1
}

// timestamp returns the clock in microseconds, later than any timestamp before: tokens
// that one process inserts keep their order.
func (s *Store) timestamp() int64 { return s.timestamps(1) }

// timestamps reserves the timestamps of n tokens that follow each other, and returns the
// first.
func (s *Store) timestamps(n int64) int64 {
	s.createdMu.Lock()
	defer s.createdMu.Unlock()
	begin := max(s.lastCreated+1, s.now().UnixMicro())
	s.lastCreated = max(begin+n-1, s.lastCreated)
	return begin
}

// idKey is the kind of the only key of a token from which a person has removed all keys:
// its ID, which no find looks up.
const idKey tokenstore.KeyKind = "id"

// keys returns the keys of t that this program indexes. There is always one, since the index
// may serve as the list of all tokens.
func (s *Store) keys(t tokenstore.OAuthToken) []tokenstore.Key {
	return indexedKeys(t, s.access != accessLeftOut)
}

// indexedKeys returns the keys of t that a program indexes that does or does not index the
// access tokens of tokens with another key.
func indexedKeys(t tokenstore.OAuthToken, access bool) []tokenstore.Key {
	keys := tokenstore.KeysOf(t)
	if len(keys) == 0 {
		return []tokenstore.Key{{Kind: idKey, Value: t.ID}}
	}
	if !access && len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(k tokenstore.Key) bool { return k.Kind == tokenstore.AccessKey })
	}
	return keys
}

// edited reports whether a person has edited the row: its keys are not the ones that its
// last writer claimed, or older content was put back. Where the index may lack access
// tokens, it does not matter whether the last writer has claimed that of the row.
func (s *Store) edited(r *row) bool {
	access := s.access != accessLeftOut
	switch {
	case r.restored || r.uncounted:
		return true
	case r.digest == s.digestOf(r.id, r.token, access):
		return false
	}
	return !s.mayLackAccess() || r.digest != s.digestOf(r.id, r.token, !access)
}

// editedDigest is the digest of an edited row that a fence has written. It matches no
// keys.
const editedDigest = "edited"

// digest returns the mark of the store's pepper and a short digest of the keys of t that
// this program indexes. The row's ID is part of it, so that it does not match a copy under
// another name.
func (s *Store) digest(id string, t tokenstore.OAuthToken) string {
	return s.digestOf(id, t, s.access != accessLeftOut)
}

// digestOf returns the digest of a program that does or does not index access tokens.
func (s *Store) digestOf(id string, t tokenstore.OAuthToken, access bool) string {
	h := sha256.New()
	h.Write([]byte(id))
	for _, k := range indexedKeys(t, access) {
		h.Write([]byte(s.hash(k)))
	}
	return s.pepperMark + escape.Base32(h.Sum(nil)[:10])
}

// pepperMarkEnd ends the mark of a pepper.
const pepperMarkEnd = ":"

// markOf returns a mark that distinguishes a pepper from others but reveals almost nothing
// of it. Without a pepper it is empty.
func markOf(pepper []byte) string {
	if len(pepper) == 0 {
		return ""
	}
	return index.Hash(tokenstore.Key{Kind: "pepper"}, pepper)[:4] + pepperMarkEnd
}

// otherPepper reports whether the row was last written under another pepper than the
// store's. A row written by a person has no pepper.
func (s *Store) otherPepper(r *row) bool {
	return r.state == live && r.digest != "" && r.pepperMark() != s.pepperMark
}

// lastMark returns the mark of the pepper under which the row was last written; if a
// person has replaced it, this store's.
func (s *Store) lastMark(r *row) string {
	if r.digest == "" {
		return s.pepperMark
	}
	return r.pepperMark()
}

// pepperMark returns the pepper's mark of the store that last wrote the row.
func (r *row) pepperMark() string {
	mark, _, ok := strings.Cut(r.digest, pepperMarkEnd)
	if !ok {
		return ""
	}
	return mark + pepperMarkEnd
}

func (s *Store) hash(k tokenstore.Key) string { return index.Hash(k, s.pepper) }

// deletedAt returns when the token of a tombstone was deleted.
func (r *row) deletedAt() time.Time { return time.UnixMicro(r.deleted) }
