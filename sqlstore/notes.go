// The notes of tokens, and swaps. They are in a table of their own, which is created with the
// first note, so that the table of the SDKs is never altered and readers need nothing new.

package sqlstore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// notesTable is the table of the notes. A note counts only while its row has the content
// with which it was written: see rowstore.Content.
const notesTable = "tokenstore_notes"

var _ tokenstore.Swapper = (*Store)(nil)

// WritesPerDay implements tokenstore.Swapper: there is no limit.
func (*Store) WritesPerDay() int { return 0 }

// FindNoted returns the token that FindToken returns, with its note.
func (s *Store) FindNoted(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	var found tokenstore.Noted
	err := s.transaction(ctx, false, func(r *rows) (err error) {
		found, err = rowstore.FindNoted(r, query)
		return err
	})
	if err != nil {
		return tokenstore.Noted{}, s.failed(ctx, "find noted token", query.ID, err)
	}
	return found, nil
}

// SwapToken sets the fields of next and the note, if the token with old's ID still has
// old's grant, refresh and access token and note, as tokenstore.Swapper says. It is one
// transaction.
func (s *Store) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (now tokenstore.Noted, swapped bool, err error) {
	err = s.transaction(ctx, true, func(r *rows) (err error) {
		now, swapped, err = rowstore.Swap(r, old, next, note)
		return err
	})
	if err != nil {
		return tokenstore.Noted{}, false, s.failed(ctx, "swap token", old.ID, err)
	}
	return now, swapped, nil
}

// Note implements rowstore.Notes.
func (r *rows) Note(row tokenstore.OAuthToken) (string, error) {
	content, note, err := r.storedNote(row.ID)
	if err != nil || content != rowstore.Content(row) {
		return "", err
	}
	return note, nil
}

// SetNote implements rowstore.Notes.
func (r *rows) SetNote(row tokenstore.OAuthToken, note string) error {
	if note == "" {
		return r.dropNote(row.ID)
	}
	d := r.store.dialect
	has, err := r.hasNotes()
	if create := d.createNotes(); err == nil && !has && create != "" {
		err = r.execPlain(create)
	}
	if err != nil {
		return err
	}
	r.noted = yes
	return r.exec(d.keepNote(), r.counterName(), row.ID, note, rowstore.Content(row))
}

// known is what a transaction knows of the table of notes.
type known int

const (
	unknown known = iota
	no
	yes
)

// hasNotes reports whether there is a table of notes.
func (r *rows) hasNotes() (bool, error) {
	if r.noted == unknown {
		has, err := r.hasTable(notesTable)
		if err != nil {
			return false, err
		}
		if r.noted = no; has {
			r.noted = yes
		}
	}
	return r.noted == yes, nil
}

// hasTable reports whether there is a table of that name.
func (r *rows) hasTable(name string) (bool, error) {
	var found string
	return r.one(r.store.dialect.has(), []any{name}, &found)
}

// storedNote returns the note that is stored for an ID, and the content to which it
// belongs; both are empty if there is none.
func (r *rows) storedNote(id string) (content, note string, err error) {
	if has, err := r.hasNotes(); err != nil || !has {
		return "", "", err
	}
	query := "SELECT content, note FROM " + r.store.dialect.quote(notesTable) + " WHERE table_name = ? AND id = ?"
	_, err = r.one(query, []any{r.counterName(), id}, &content, &note)
	return content, note, err
}

// carryNote keeps the note of a row whose content changes. One that did not belong to it is
// removed.
func (r *rows) carryNote(before, after tokenstore.OAuthToken) error {
	content, note, err := r.storedNote(before.ID)
	switch {
	case err != nil || content == "" || content == rowstore.Content(after) && content == rowstore.Content(before):
		return err
	case content != rowstore.Content(before):
		return r.dropNote(before.ID)
	}
	return r.SetNote(after, note)
}

// dropNote removes the note that is stored for an ID.
func (r *rows) dropNote(id string) error {
	if has, err := r.hasNotes(); err != nil || !has {
		return err
	}
	return r.exec("DELETE FROM "+r.store.dialect.quote(notesTable)+" WHERE table_name = ? AND id = ?", r.counterName(), id)
}

// dropNotes removes the notes of all rows of the table.
func (r *rows) dropNotes() error {
	if has, err := r.hasNotes(); err != nil || !has {
		return err
	}
	return r.exec("DELETE FROM "+r.store.dialect.quote(notesTable)+" WHERE table_name = ?", r.counterName())
}
