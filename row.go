package tokenstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// The bookkeeping fields of a token's secret, beside the fields of the token.
const (
	generationField = "generation" // counts the writes of the secret
	createdField    = "created"    // epoch microseconds of the insert
	digestField     = "keys"       // digest of the keys that the last writer saw to
	deletedField    = "deleted"    // epoch microseconds; in tombstones only
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
	name       string // of the secret
	id         string // escaped, as in hints
	state      state
	revision   string
	token      OAuthToken
	generation int64
	uncounted  bool // the secret has no generation; the row was given one when it was read
	created    int64
	deleted    int64
	digest     string
	object     map[string]json.RawMessage
	err        error // why an unreadable row is one: its content, or no permission
}

// fault returns the error of what needs an unreadable row.
func (r *row) fault() error {
	kind := Kind(r.err)
	if kind == nil {
		kind = ErrUnreadable
	}
	return &Error{Op: "read", Name: Redact(r.id), Kind: kind, Err: r.err}
}

// holds reports whether the row is a hit for the key.
func (r *row) holds(k Key) bool { return r.state == live && Holds(r.token, k) }

// older orders rows by age, the ID deciding between equals.
func older(a, b *row) int {
	return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(a.id, b.id))
}

// parse reads a secret. Nothing that it meets is an error of its own: a row
// says what it is.
func (s *SecretStore) parse(id string, secret driver.Secret) *row {
	r := &row{name: secret.Name, id: id, state: unreadable, revision: secret.Revision}
	if r.object, r.err = decodeObject(secret.Data); r.err != nil {
		return r
	}
	ownID, plain := unescapeID(id)
	storedID, err := textOf(r.object, "id")
	if !plain {
		ownID = storedID
	}
	if !r.kept() && (err != nil || storedID != ownID || escapeID(ownID) != id) {
		r.state, r.err = foreign, nil
		return r
	}
	if r.token, r.err = tokenOf(r.object); r.err != nil {
		return r
	}
	r.token.ID = ""
	r.state = live
	if r.token == (OAuthToken{}) {
		r.state = tombstone
	} else if escapeID(ownID) != id {
		r.state, r.err = unreadable, fmt.Errorf("%w: the secret's id does not belong to its name", ErrUnreadable)
		return r
	}
	r.token.ID = ownID
	r.generation = r.number(generationField)
	r.created = r.number(createdField)
	r.deleted = r.number(deletedField)
	r.digest, _ = textOf(r.object, digestField)
	if r.generation == 0 || r.generation > maxGeneration {
		// A person has removed or changed it. The next write must not fall back
		// behind hints of earlier generations.
		r.uncounted, r.generation = true, max(s.now().Unix()-1, s.known.states.Generation(r.name))
	}
	return r
}

// kept reports whether the secret has the bookkeeping of a store: a generation,
// and one of the fields that never stand beside it by chance.
func (r *row) kept() bool {
	has := func(name string) bool { _, ok := r.object[name]; return ok }
	return has(generationField) && (has(createdField) || has(deletedField) || has(digestField))
}

// number returns a bookkeeping field, zero if it is missing or not a number.
func (r *row) number(name string) int64 {
	text, err := textOf(r.object, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// written returns the row as it is to be written for token t: unknown fields
// stay, and the generation counts on from what is there.
func (s *SecretStore) written(r *row, t OAuthToken) *row {
	next := *r
	next.state, next.token, next.uncounted, next.err = live, t.Normal(), false, nil
	if r.state != live {
		next.object, next.created, next.deleted = nil, s.timestamp(), 0
	}
	next.generation = s.nextGeneration(r)
	next.digest = s.digest(t)
	next.object = maps.Clone(next.object)
	if next.object == nil {
		next.object = map[string]json.RawMessage{}
	}
	next.token.put(next.object)
	putText(next.object, generationField, strconv.FormatInt(next.generation, 10))
	putText(next.object, createdField, strconv.FormatInt(next.created, 10))
	putText(next.object, digestField, next.digest)
	delete(next.object, deletedField)
	return &next
}

// fenced returns the row as a fence writes it: unchanged, but with a generation
// above its own and not below that of the hint that is fenced. Where there is
// nothing, the fence is a tombstone.
func (s *SecretStore) fenced(r *row, generation int64) *row {
	next := *r
	next.generation = max(s.nextGeneration(r), generation)
	next.uncounted = false
	switch r.state {
	case live:
	case tombstone: // It keeps the time of its deletion.
		return s.tombstone(r, next.generation, r.deleted)
	default:
		return s.buried(r, next.generation)
	}
	next.object = maps.Clone(r.object)
	putText(next.object, generationField, strconv.FormatInt(next.generation, 10))
	return &next
}

// buried returns the tombstone that replaces r, deleted now.
func (s *SecretStore) buried(r *row, generation int64) *row {
	return s.tombstone(r, generation, s.now().UnixMicro())
}

// tombstone returns the tombstone that replaces r. The time of the deletion is
// in microseconds.
func (s *SecretStore) tombstone(r *row, generation, deleted int64) *row {
	next := &row{name: r.name, id: r.id, state: tombstone, revision: r.revision, generation: generation, deleted: deleted}
	next.object = map[string]json.RawMessage{}
	putText(next.object, generationField, strconv.FormatInt(next.generation, 10))
	putText(next.object, deletedField, strconv.FormatInt(next.deleted, 10))
	return next
}

// nextGeneration is that of the next write of r. A new row starts at the
// clock's seconds, so that it does not fall back behind an earlier row of the
// same name whose tombstone was swept; nor behind one that this process has
// seen, which may have counted faster than the clock.
func (s *SecretStore) nextGeneration(r *row) int64 {
	if r.state == absent {
		return max(s.now().Unix(), s.known.states.Generation(r.name)+1)
	}
	return r.generation + 1
}

// timestamp returns the clock in microseconds, later than any that this store
// gave before: tokens that one process inserts keep their order.
func (s *SecretStore) timestamp() int64 {
	s.createdMu.Lock()
	defer s.createdMu.Unlock()
	s.lastCreated = max(s.lastCreated+1, s.now().UnixMicro())
	return s.lastCreated
}

// age gives a row that is about to be inserted a later time than the one with
// which it was planned.
func (s *SecretStore) age(r *row) {
	r.created = s.timestamp()
	putText(r.object, createdField, strconv.FormatInt(r.created, 10))
}

// idKey is the kind of the key of a token from which a person has removed all
// others: its ID, which no find looks up.
const idKey index.Kind = "id"

// keys returns the keys of t that stand in the index. There is always one, since
// an index may be the list of all tokens.
func (s *SecretStore) keys(t OAuthToken) []Key {
	keys := KeysOf(t)
	if len(keys) == 0 {
		return []Key{{Kind: idKey, Value: t.ID}}
	}
	if !s.accessIndex && len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(k Key) bool { return k.Kind == index.Access })
	}
	return keys
}

// edited reports whether a person has edited the row: its keys are not those
// that its last writer saw to.
func (s *SecretStore) edited(r *row) bool { return r.digest != s.digest(r.token) }

// digest returns a short digest of the keys of t that stand in the index, behind
// the mark of the store's pepper.
func (s *SecretStore) digest(t OAuthToken) string {
	h := sha256.New()
	for _, k := range s.keys(t) {
		h.Write([]byte(s.hash(k)))
	}
	return s.pepperMark + index.Base32(h.Sum(nil)[:10])
}

// pepperMarkEnd ends the mark of a pepper.
const pepperMarkEnd = ":"

// markOf tells a pepper from others, and gives away next to nothing of it. Where
// there is no pepper there is no mark.
func markOf(pepper []byte) string {
	if len(pepper) == 0 {
		return ""
	}
	return index.Hash(Key{Kind: "pepper"}, pepper)[:4] + pepperMarkEnd
}

// otherPepper reports whether the row was written last under another pepper than
// the store's. One that a person has written has none.
func (s *SecretStore) otherPepper(r *row) bool {
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

func (s *SecretStore) hash(k Key) string { return index.Hash(k, s.pepper) }

// deletedAt returns when a tombstone was written.
func (r *row) deletedAt() time.Time { return time.UnixMicro(r.deleted) }
