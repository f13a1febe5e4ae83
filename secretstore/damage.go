// Whether a secret belongs to the store, and whether it is a token, after a person has
// changed it.
//
// A person's change to a token's secret is an edit, or damage that is reported. Such a
// secret must never silently become foreign, or the next save would insert a second
// token. A secret with the store's bookkeeping, or with the ID that belongs to its name,
// is the store's. For any other, the index decides, or the key that is looked up: see
// evidence.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

const idField = "id"

// evidence is the evidence that an unmarked secret is the store's.
type evidence struct {
	// hinted says that a hint points to its name.
	hinted bool
	// derived is the field that should hold the key from which the name is derived, if
	// the name is known to be a derived ID. If only the index shows that, it is
	// anyKeyField.
	derived string
}

const anyKeyField = "user_name, refresh_token, grant_token or access_token"

// keyFields are the fields that hold the keys.
var keyFields = map[tokenstore.KeyKind]string{
	tokenstore.UserKey: "user_name", tokenstore.RefreshKey: "refresh_token", tokenstore.GrantKey: "grant_token", tokenstore.AccessKey: "access_token",
}

// lookedFor returns the evidence for a secret under the ID that is derived from a key that
// is looked up.
func lookedFor(k tokenstore.Key) evidence {
	if k.Kind == tokenstore.AccessKey {
		return evidence{} // Access tokens keep changing, so hardly any ID is derived from the current one.
	}
	return evidence{derived: keyFields[k.Kind]}
}

// recognise decides what an unmarked row is, if its content or the evidence shows whose it
// is. Otherwise it stays unmarked.
func (s *Store) recognise(r *row, e evidence) {
	if r.state == foreign && (e.hinted || e.derived != "") {
		r.state = unmarked // It was foreign for lack of evidence.
	}
	if r.state != unmarked {
		return
	}
	if hasBookkeeping(r.object) {
		s.interpret(r, e.derived)
		return
	}
	switch {
	case s.derives(r), r.misnamed(), e.hinted, e.derived != "":
		s.interpret(r, e.derived)
	case r.named() && (!derivable(r.id) || !overwritten(r.object)):
		s.interpret(r, "")
	}
}

// misnamed reports whether an unmarked row has the ID of another token and a token's field.
// A foreign secret may have a field named id, but hardly both.
func (r *row) misnamed() bool {
	id, err := r.object.Text(idField)
	token, _ := tokenstore.DecodeFields(r.object)
	token.ID = ""
	return (id != "" || err != nil) && !r.named() && token != (tokenstore.OAuthToken{})
}

// named reports whether an unmarked row has the ID that belongs to its name. It is the
// store's; it is unmarked only until the index has shown whether its name is derived from
// a key that is missing.
func (r *row) named() bool {
	id, err := r.object.Text(idField)
	return err == nil && id != "" && escapeID(id) == r.id
}

// derives reports whether the row's name is derived from a key in it.
func (s *Store) derives(r *row) bool {
	token, _ := tokenstore.DecodeFields(r.object)
	for _, k := range tokenstore.KeysOf(token) {
		if s.hash(k) == r.id {
			return true
		}
	}
	return false
}

// derivable reports whether an escaped ID can be derived from a key.
func derivable(id string) bool {
	return len(id) == index.HashLen && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// interpret decides what a row of the store is: a token, a tombstone, or damage. derived
// is as in evidence.
func (s *Store) interpret(r *row, derived string) {
	if r.opaque {
		s.damage(r, "it is not a JSON object")
		return
	}
	if err := r.object.CheckForm(); err != nil {
		r.state, r.err = unreadable, &secretError{s.shownName(r), err}
		return
	}
	var fault error
	r.token, fault = tokenstore.DecodeFields(r.object)
	storedID := r.token.ID
	ownID, plain := unescapeID(r.id)
	if !plain && escapeID(storedID) == r.id {
		ownID, plain = storedID, true
	}
	r.token.ID = ""
	none := r.token == (tokenstore.OAuthToken{})
	if plain {
		r.token.ID = ownID
	}
	switch {
	case none && r.object.Has(deletedField) && hasBookkeeping(r.object):
		r.state = tombstone
	case fault != nil:
		s.damage(r, strings.ReplaceAll(fault.Error(), "\n", "; "))
	case none:
		s.damage(r, "it has none of a token's fields")
	case storedID == "" && !plain:
		s.damage(r, "it has no id, which its name, a hash, cannot supply")
	case !plain, storedID != "" && storedID != ownID:
		s.damage(r, "it has the id of another token")
	case derived != "" && overwritten(r.object) && !s.derives(r):
		s.damage(r, "it was overwritten, and lacks the "+derived+" from which its name is derived")
	default:
		r.state = live
	}
}

// damage marks a row as damaged, for the given reason.
func (s *Store) damage(r *row, reason string) {
	r.state = damaged
	r.err = &secretError{s.shownName(r), fmt.Errorf("%w: %s; save the token again, put its content back, or delete it", tokenstore.ErrUnreadable, reason)}
}

// secretError adds the name of a secret to an error.
type secretError struct {
	name string
	err  error
}

func (e *secretError) Error() string { return e.name + ": " + e.err.Error() }

func (e *secretError) Unwrap() error { return e.err }

// shownName returns the name of a row's secret as shown in errors.
func (s *Store) shownName(r *row) string { return s.tokens + shownID(r.id) }

// recognise decides what an unmarked row is, by the evidence and by the hint that its name
// may have in the index.
func (a *attempt) recognise(ctx context.Context, r *row, e evidence) error {
	if r.state != unmarked && r.state != foreign {
		return nil
	}
	if e.derived == "" && derivable(r.id) {
		hints, err := a.view.Lookup(ctx, r.id)
		if err != nil {
			return err
		}
		for _, h := range hints[0] {
			if h.ID == r.id {
				e = evidence{hinted: true, derived: anyKeyField}
			}
		}
	}
	if e.derived == "" && r.named() {
		e.hinted = true // Its id is as good as a hint.
	}
	a.s.recognise(r, e)
	return nil
}

// witness decides about unmarked rows by the whole index. It reads the index once, when
// first needed.
type witness struct {
	s     *Store
	mu    sync.Mutex
	asked bool
	hints map[string]evidence // by escaped ID
	// fault is the reason why a part of the index could not be read.
	fault error
}

func (s *Store) witness() *witness { return &witness{s: s} }

// recognise decides what an unmarked row is. Without any evidence it is foreign. If a part
// of the index cannot be read, so that there may be evidence, it is unreadable.
func (w *witness) recognise(ctx context.Context, rows ...*row) error {
	for _, r := range rows {
		if r.state != unmarked {
			continue
		}
		if w.s.known.isForeign(r) {
			r.state = foreign
			continue
		}
		if err := w.ask(ctx); err != nil {
			return err
		}
		e := w.hints[r.id]
		e.hinted = e.hinted || r.named()
		w.s.recognise(r, e)
		switch {
		case r.state != unmarked:
		case w.fault != nil:
			r.state, r.err = unreadable, &secretError{w.s.shownName(r), fmt.Errorf("unknown whether it belongs to this store: %w", w.fault)}
		default:
			r.state = foreign
			w.s.known.foreign(r)
		}
	}
	return nil
}

// ask reads the index.
func (w *witness) ask(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked {
		return nil
	}
	hints := map[string]evidence{}
	var faults []error
	for entry, err := range w.s.index.All(ctx) {
		if err != nil {
			if passes(err) {
				return err
			}
			faults = append(faults, err)
			continue
		}
		for _, h := range entry.Hints {
			e := hints[h.ID]
			e.hinted = true
			if derivable(h.ID) && strings.HasPrefix(h.ID, entry.Hash) {
				e.derived = anyKeyField
			}
			hints[h.ID] = e
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.asked, w.hints, w.fault = true, hints, errors.Join(faults...)
	return nil
}
