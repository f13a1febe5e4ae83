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

// maxGeneration is more than any token comes to, and leaves room to count on.
const maxGeneration = 1 << 52

// state is what a token's secret holds.
type state int

const (
	absent     state = iota
	live             // a token
	tombstone        // what a deleted token leaves
	unmarked         // nothing in it shows whose it is: see recognise
	foreign          // something that is not ours
	damaged          // something of ours that is no usable token until it is saved or deleted
	unreadable       // something that may not be read, or that a later release wrote
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
	restored  bool          // somebody has put older content back
	opaque    bool          // the secret is no JSON object
	object    driver.Object // the secret's fields; data says which of them are written again
	err       error         // why a damaged or unreadable row is one: its content, or no permission
}

// barred reports whether nobody can tell which keys the row holds.
func (r *row) barred() bool { return r.state == damaged || r.state == unreadable }

// fault returns the error of what needs a row that is barred.
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
	r := &row{name: secret.Name, id: id, state: unmarked, revision: secret.Revision, restored: secret.Restored}
	var err error
	r.object, err = driver.DecodeObject(secret.Data)
	r.opaque = err != nil
	r.bookkeeping = readBookkeeping(r.object)
	if r.generation == 0 || r.generation > maxGeneration {
		// A person has removed or changed it. The next write must not fall back
		// behind hints of earlier generations.
		r.uncounted, r.generation = true, max(s.now().Unix()-1, s.known.highest(r.name))
	}
	s.recognise(r, evidence{})
	return r
}

// written returns the row as it is to be written for token t. The generation
// counts on from what is there.
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

// inserts reports whether a token that is written over the row is a new one.
func (r *row) inserts() bool { return r.state != live && (r.state != damaged || r.created == 0) }

// fenced returns the row as a fence writes it: unchanged, but with a generation
// above its own and not below that of the hint that is fenced. Where there is
// nothing, the fence is a tombstone. An edited row stays one, and a damaged one
// damaged.
func (s *Store) fenced(r *row, generation int64) *row {
	generation = max(s.nextGeneration(r), generation)
	switch r.state {
	case live:
		next := *r
		next.generation, next.uncounted, next.restored = generation, false, false
		if s.edited(r) { // It must still look so.
			next.digest = s.lastMark(r) + editedDigest
		}
		return &next
	case damaged:
		next := *r
		next.generation = generation
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
// seen, which may have counted faster than the clock. So does one that was
// restored, with the generation that it had then.
func (s *Store) nextGeneration(r *row) int64 {
	if r.state == absent || r.restored {
		return max(s.now().Unix(), s.known.highest(r.name)+1, r.generation+1)
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
// that its last writer claimed, or somebody has put older content back.
func (s *Store) edited(r *row) bool {
	return r.restored || r.uncounted || r.digest != s.digest(r.id, r.token)
}

// editedDigest is the digest in a row that a fence has written, and that a person
// had edited before. It fits no keys.
const editedDigest = "edited"

// digest returns a short digest of the keys of t that stand in the index, behind
// the mark of the store's pepper. It rests on the row's ID too, so that it fits no
// copy under another name.
func (s *Store) digest(id string, t tokenstore.OAuthToken) string {
	h := sha256.New()
	h.Write([]byte(id))
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

// lastMark is the mark of the pepper under which the row was written last; this
// store's, if a person has written it anew.
func (s *Store) lastMark(r *row) string {
	if r.digest == "" {
		return s.pepperMark
	}
	return r.pepperMark()
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
