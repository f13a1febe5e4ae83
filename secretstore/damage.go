// Whose a secret is, and whether it is a token, once a person has been at it.
//
// What a person makes of a token's secret is an edit, or damage that is reported;
// it is never silently a stranger's, or the next save would insert a second token
// beside it. A secret that has the store's bookkeeping, or the ID that belongs to its
// name, is the store's. Of any other, the index decides, or the key that is looked
// for: see evidence.

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

// evidence is what speaks for an unmarked secret being the store's.
type evidence struct {
	// hinted says that a hint points at its name.
	hinted bool
	// derived is, if the name is known to be the ID that is derived from a key, the
	// field that should hold this key. Where only the index says so, it is any of
	// the four.
	derived string
}

const anyKeyField = "user_name, refresh_token, grant_token or access_token"

// keyFields are the fields that hold the keys.
var keyFields = map[tokenstore.KeyKind]string{
	tokenstore.UserKey: "user_name", tokenstore.RefreshKey: "refresh_token", tokenstore.GrantKey: "grant_token", tokenstore.AccessKey: "access_token",
}

// lookedFor returns what it means that a secret lies under the ID that is derived
// from a key by which somebody looks for a token.
func lookedFor(k tokenstore.Key) evidence {
	if k.Kind == tokenstore.AccessKey {
		return evidence{} // Access tokens change all the time: hardly any ID is derived from the present one.
	}
	return evidence{derived: keyFields[k.Kind]}
}

// recognise decides what an unmarked row is, if its content or the evidence tells
// whose it is. Otherwise it stays unmarked.
func (s *Store) recognise(r *row, e evidence) {
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

// misnamed reports whether an unmarked row has the ID of another token and a token's
// field. Any secret may have a field of the name id, but hardly both.
func (r *row) misnamed() bool {
	id, err := r.object.Text(idField)
	token, _ := tokenstore.DecodeFields(r.object)
	token.ID = ""
	return (id != "" || err != nil) && !r.named() && token != (tokenstore.OAuthToken{})
}

// named reports whether an unmarked row has the ID that belongs to its name. It is
// the store's, and unmarked only until the index has told whether its name is
// derived from a key that is missing.
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

// derivable reports whether an escaped ID may be derived from a key.
func derivable(id string) bool {
	return len(id) == index.HashLen && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// interpret says what a row of the store's is: a token, a tombstone, or damage.
// derived is as in evidence.
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
		s.damage(r, "it has no id, and its name is only a hash of one")
	case !plain, storedID != "" && storedID != ownID:
		s.damage(r, "its id is that of another token")
	case derived != "" && overwritten(r.object) && !s.derives(r):
		s.damage(r, "it was overwritten, and has no "+derived+" to which its name belongs")
	default:
		r.state = live
	}
}

// damage marks a row as damaged, with what is wrong.
func (s *Store) damage(r *row, reason string) {
	r.state = damaged
	r.err = &secretError{s.shownName(r), fmt.Errorf("%w: %s; save the token again, put its content back, or delete it", tokenstore.ErrUnreadable, reason)}
}

// secretError says to which secret an error belongs.
type secretError struct {
	name string
	err  error
}

func (e *secretError) Error() string { return e.name + ": " + e.err.Error() }

func (e *secretError) Unwrap() error { return e.err }

// shownName returns the name of a row's secret as errors show it.
func (s *Store) shownName(r *row) string { return s.tokens + shownID(r.id) }

// recognise decides what an unmarked row is by the hint that its own name has in
// the index, and by the evidence there is.
func (a *attempt) recognise(ctx context.Context, r *row, e evidence) error {
	if r.state != unmarked {
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
		e.hinted = true // Its id says as much as a hint.
	}
	a.s.recognise(r, e)
	return nil
}

// witness says of unmarked rows what the whole index has to say. It reads the index
// when it is first needed, and once.
type witness struct {
	s     *Store
	mu    sync.Mutex
	asked bool
	hints map[string]evidence // by escaped ID
	// fault is why a part of the index could not be read.
	fault error
}

func (s *Store) witness() *witness { return &witness{s: s} }

// recognise decides what an unmarked row is. One for which nothing speaks is not the
// store's; one of which that cannot be told, as a part of the index cannot be read,
// is unreadable.
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
			r.state, r.err = unreadable, &secretError{w.s.shownName(r), fmt.Errorf("whether it is this store's is unknown: %w", w.fault)}
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
