// The notes of tokens, and swaps. The notes are in a file of their own, which the SDKs do not
// look at. Two files cannot be replaced in one step, so that a note is stored with the
// content of the row to which it belongs: it begins to count when the row gets that content.

package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
	"example.com/tokenstore/internal/rowstore"
)

const notesSuffix = ".notes"

var _ tokenstore.Swapper = (*Store)(nil)

// WritesPerDay implements tokenstore.Swapper: there is no limit.
func (*Store) WritesPerDay() int { return 0 }

// FindNoted returns the token that FindToken returns, with its note.
func (s *Store) FindNoted(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	const op = "find noted token"
	for range attempts {
		found, whole, err := s.findNoted(ctx, query)
		if err != nil {
			return tokenstore.Noted{}, failure(op, query.ID, err)
		}
		if whole {
			return found, nil
		}
	}
	return tokenstore.Noted{}, failure(op, query.ID, errChanging)
}

// findNoted is one attempt. It is whole if the token file was not replaced before the notes
// were read: what the row no longer needs may then be gone from them.
func (s *Store) findNoted(ctx context.Context, query tokenstore.OAuthToken) (found tokenstore.Noted, whole bool, err error) {
	doc, err := s.view(ctx)
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	if s.config.inPlace {
		found.OAuthToken, err = rowstore.Find(&rows{doc: doc}, query)
		return found, true, doc.orUnreadable(err)
	}
	path, err := target(s.path)
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	noted, err := readNotes(ctx, path)
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	found, err = rowstore.FindNoted(&rows{doc: doc, notes: noted}, query)
	if err != nil || noted == nil {
		return found, true, doc.orUnreadable(err)
	}
	return found, !s.hasChanged(ctx, doc), nil
}

// hasChanged reports whether the file is no longer the one of a document.
func (s *Store) hasChanged(ctx context.Context, doc *document) bool {
	now, err := s.view(ctx)
	return err != nil || now != doc && string(now.bytes()) != string(doc.bytes())
}

// SwapToken sets the fields of next and the note, if the token with old's ID still has
// old's grant, refresh and access token and note, as tokenstore.Swapper says. Only what
// changes is written: the token file, that of the notes, or both.
func (s *Store) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (now tokenstore.Noted, swapped bool, err error) {
	err = s.change(ctx, func(r *rows) (err error) {
		now, swapped, err = rowstore.Swap(r, old, next, note)
		return err
	})
	if err != nil {
		return tokenstore.Noted{}, false, failure("swap token", old.ID, err)
	}
	return now, swapped, nil
}

// notes are the notes by the ID of a token and the content to which they belong.
type notes map[string]map[string]string

// of returns the note of a row.
func (n notes) of(row tokenstore.OAuthToken) string {
	if len(n[row.ID]) == 0 {
		return ""
	}
	return n[row.ID][rowstore.Content(row)]
}

func (n notes) equal(other notes) bool { return maps.EqualFunc(n, other, maps.Equal) }

func (n notes) set(row tokenstore.OAuthToken, note string) {
	if note == "" {
		return
	}
	if n[row.ID] == nil {
		n[row.ID] = map[string]string{}
	}
	n[row.ID][rowstore.Content(row)] = note
}

// change returns the notes that are to be stored while a document takes the place of
// another, and afterwards. Rows keep their notes, but for those that are set. In between,
// a row has the notes of both contents; that of a content which stays is replaced.
func (n notes) change(before, after *document, set map[string]string) (between, final notes) {
	between, final = notes{}, notes{}
	if len(n) == 0 && len(set) == 0 {
		return between, final
	}
	notes := map[string]string{} // by ID
	for _, r := range before.records {
		if r.kind == rowLine {
			notes[r.token.ID] = n.of(r.token)
			between.set(r.token, notes[r.token.ID])
		}
	}
	maps.Copy(notes, set)
	for _, r := range after.records {
		if r.kind != rowLine {
			continue
		}
		note := notes[r.token.ID]
		final.set(r.token, note)
		if old := between[r.token.ID]; old != nil {
			delete(old, rowstore.Content(r.token))
			if len(old) == 0 {
				delete(between, r.token.ID)
			}
		}
		between.set(r.token, note)
	}
	return between, final
}

// readNotes reads the notes of the file path; they are nil if nobody has ever set one.
func readNotes(ctx context.Context, path string) (notes, error) {
	f, err := plainfile.Open(path+notesSuffix, os.O_RDONLY)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case errors.Is(err, plainfile.ErrNotRegular):
		return nil, errNotesNoFile
	case err != nil:
		return nil, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	data, err := readAll(ctx, f, 0)
	if err != nil {
		return nil, err
	}
	read := notes{}
	if json.Unmarshal(data, &read) != nil || read == nil {
		return nil, fmt.Errorf("%w: the file with the notes (%s after the file's name) cannot be understood; remove it, or restore it", tokenstore.ErrUnreadable, notesSuffix)
	}
	return read, nil
}

// writeNotes replaces the notes of the file path, which was seen so.
func writeNotes(path string, n notes, seen stamp) error {
	var data bytes.Buffer
	e := json.NewEncoder(&data)
	e.SetEscapeHTML(false) // A person may read it.
	e.SetIndent("", "  ")
	if err := e.Encode(n); err != nil {
		return err
	}
	always := func() (bool, error) { return true, nil }
	_, err := replace(path+notesSuffix, data.Bytes(), path, seen, always)
	return err
}
