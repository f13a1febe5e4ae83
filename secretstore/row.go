package secretstore

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/escape"
)

// maxGeneration is more than any token comes to, and leaves room to count on.
const maxGeneration = 1 << 52

// state is what a token's secret holds.
type state int

const (
	absent     state = iota
	live             // a token
	tombstone        // what a deleted token leaves
	foreign          // something that is not ours
	unreadable       // something of ours that cannot be understood
)

// row is a token's secret as it was read.
type row struct {
	name     string // of the secret
	id       string // escaped, as in hints
	state    state
	revision string
	token    tokenstore.OAuthToken
	bookkeeping
	uncounted bool          // the secret has no generation; the row was given one when it was read
	object    driver.Object // the secret's fields; data says which of them are written again
	err       error         // why an unreadable row is one: its content, or no permission
}

// fault returns the error of what needs an unreadable row.
func (r *row) fault() error {
	kind := tokenstore.Kind(r.err)
	if kind == nil {
		kind = tokenstore.ErrUnreadable
	}
	return &tokenstore.Error{Op: "read", Name: tokenstore.Redact(r.id), Kind: kind, Err: r.err}
}

// holds reports whether the row is a hit for the key.
func (r *row) holds(k tokenstore.Key) bool { return r.state == live && tokenstore.Holds(r.token, k) }

// older orders rows by age, the ID deciding between equals.
func older(a, b *row) int {
	return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(a.id, b.id))
}

// parse reads a secret. Nothing that it meets is an error of its own: a row
// says what it is.
func (s *Store) parse(id string, secret driver.Secret) *row {
	r := &row{name: secret.Name, id: id, state: unreadable, revision: secret.Revision}
	if r.object, r.err = driver.DecodeObject(secret.Data); r.err != nil {
		return r
	}
	ownID, plain := unescapeID(id)
	storedID, err := r.object.Text("id")
	if !plain {
		ownID = storedID
	}
	if !hasBookkeeping(r.object) && (err != nil || storedID != ownID || escapeID(ownID) != id) {
		r.state, r.err = foreign, nil
		return r
	}
	if r.token, r.err = tokenstore.DecodeFields(r.object); r.err != nil {
		return r
	}
	r.token.ID = ""
	r.state = live
	if r.token == (tokenstore.OAuthToken{}) {
		r.state = tombstone
	} else if escapeID(ownID) != id {
		r.state, r.err = unreadable, fmt.Errorf("%w: the secret's id does not belong to its name", tokenstore.ErrUnreadable)
		return r
	}
	r.token.ID = ownID
	r.bookkeeping = readBookkeeping(r.object)
	if r.generation == 0 || r.generation > maxGeneration {
		// A person has removed or changed it. The next write must not fall back
		// behind hints of earlier generations.
		r.uncounted, r.generation = true, max(s.now().Unix()-1, s.known.states.Generation(r.name))
	}
	return r
}

// written returns the row as it is to be written for token t. The generation
// counts on from what is there.
func (s *Store) written(r *row, t tokenstore.OAuthToken) *row {
	next := *r
	next.state, next.token, next.uncounted, next.err = live, t.Normal(), false, nil
	if r.state == live {
		next.object = r.object.Clone()
	} else {
		next.object, next.created, next.deleted = driver.Object{}, s.timestamp(), 0
	}
	tokenstore.EncodeFields(next.token, &next.object)
	next.generation = s.nextGeneration(r)
	next.digest = s.digest(t)
	return &next
}

// fenced returns the row as a fence writes it: unchanged, but with a generation
// above its own and not below that of the hint that is fenced. Where there is
// nothing, the fence is a tombstone.
func (s *Store) fenced(r *row, generation int64) *row {
	generation = max(s.nextGeneration(r), generation)
	switch r.state {
	case live:
		next := *r
		next.generation, next.uncounted = generation, false
		return &next
	case tombstone: // It keeps the time of its deletion.
		return r.tombstone(generation, r.deleted)
	}
	return s.buried(r, generation)
}

// buried returns the tombstone that replaces r, deleted now.
func (s *Store) buried(r *row, generation int64) *row {
	return r.tombstone(generation, s.now().UnixMicro())
}

// tombstone returns the tombstone that replaces r. The time of the deletion is
// in microseconds.
func (r *row) tombstone(generation, deleted int64) *row {
	return &row{name: r.name, id: r.id, state: tombstone, revision: r.revision,
		bookkeeping: bookkeeping{generation: generation, deleted: deleted}}
}

// nextGeneration is that of the next write of r. A new row starts at the
// clock's seconds, so that it does not fall back behind an earlier row of the
// same name whose tombstone was swept; nor behind one that this process has
// seen, which may have counted faster than the clock.
func (s *Store) nextGeneration(r *row) int64 {
	if r.state == absent {
		return max(s.now().Unix(), s.known.states.Generation(r.name)+1)
	}
	return r.generation + 1
}

// timestamp returns the clock in microseconds, later than any that this store
// gave before: tokens that one process inserts keep their order.
func (s *Store) timestamp() int64 {
	s.createdMu.Lock()
	defer s.createdMu.Unlock()
	s.lastCreated = max(s.lastCreated+1, s.now().UnixMicro())
	return s.lastCreated
}

// age gives a row that is about to be inserted a later time than the one with
// which it was planned.
func (s *Store) age(r *row) { r.created = s.timestamp() }

// idKey is the kind of the key of a token from which a person has removed all
// others: its ID, which no find looks up.
const idKey tokenstore.KeyKind = "id"

// keys returns the keys of t that stand in the index. There is always one, since
// an index may be the list of all tokens.
func (s *Store) keys(t tokenstore.OAuthToken) []tokenstore.Key {
	keys := tokenstore.KeysOf(t)
	if len(keys) == 0 {
		return []tokenstore.Key{{Kind: idKey, Value: t.ID}}
	}
	if !s.accessIndex && len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(k tokenstore.Key) bool { return k.Kind == tokenstore.AccessKey })
	}
	return keys
}

// edited reports whether a person has edited the row: its keys are not those
// that its last writer saw to.
func (s *Store) edited(r *row) bool { return r.digest != s.digest(r.token) }

// digest returns a short digest of the keys of t that stand in the index, behind
// the mark of the store's pepper.
func (s *Store) digest(t tokenstore.OAuthToken) string {
	h := sha256.New()
	for _, k := range s.keys(t) {
		h.Write([]byte(s.hash(k)))
	}
	return s.pepperMark + escape.Base32(h.Sum(nil)[:10])
}

// pepperMarkEnd ends the mark of a pepper.
const pepperMarkEnd = ":"

// markOf tells a pepper from others, and gives away next to nothing of it. Where
// there is no pepper there is no mark.
func markOf(pepper []byte) string {
	if len(pepper) == 0 {
		return ""
	}
	return index.Hash(tokenstore.Key{Kind: "pepper"}, pepper)[:4] + pepperMarkEnd
}

// otherPepper reports whether the row was written last under another pepper than
// the store's. One that a person has written has none.
func (s *Store) otherPepper(r *row) bool {
	return r.state == live && r.digest != "" && r.pepperMark() != s.pepperMark
}

// pepperMark is that of the store which wrote the row last.
func (r *row) pepperMark() string {
	mark, _, ok := strings.Cut(r.digest, pepperMarkEnd)
	if !ok {
		return ""
	}
	return mark + pepperMarkEnd
}

func (s *Store) hash(k tokenstore.Key) string { return index.Hash(k, s.pepper) }

// deletedAt returns when a tombstone was written.
func (r *row) deletedAt() time.Time { return time.UnixMicro(r.deleted) }
