// A document as package rowstore reads and changes it.

package filestore

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"example.com/tokenstore"
)

// rows is a document as rowstore sees it, and what one write does to it. Only
// doc is needed to read.
type rows struct {
	doc     *document
	config  config
	highest int64 // The highest number that ever was an ID.
	changed bool
	own     bool // Nobody else uses doc.
	lookUps int
	notes   notes             // as they are stored
	noted   map[string]string // the notes that are set, by ID; an empty one is removed
}

// ByID implements rowstore.Rows.
func (r *rows) ByID(id string) (tokenstore.OAuthToken, bool, error) {
	return r.lookUp(lookUp{value: id}, false)
}

// ByKey implements rowstore.Rows.
func (r *rows) ByKey(key tokenstore.Key, ownerless bool) (tokenstore.OAuthToken, bool, error) {
	return r.lookUp(lookUp{key.Kind, key.Value}, ownerless)
}

// fewLookUps is how many look-ups are made before an index is: more than one save makes.
const fewLookUps = 8

// lookUp returns the first row that has what is looked up.
func (r *rows) lookUp(l lookUp, ownerless bool) (tokenstore.OAuthToken, bool, error) {
	if r.lookUps++; r.own && r.lookUps > fewLookUps && r.doc.index == nil {
		r.doc.makeIndex()
	}
	if i := r.doc.find(l, ownerless); i >= 0 {
		return r.doc.records[i].token, true, nil
	}
	return tokenstore.OAuthToken{}, false, nil
}

// NewID implements rowstore.Rows.
func (r *rows) NewID() (string, error) {
	if r.highest >= math.MaxInt32 {
		return "", fmt.Errorf("%w: the highest ID that the SDKs can count to is in use; save the token with an ID of its own", tokenstore.ErrQuota)
	}
	r.highest++
	return strconv.FormatInt(r.highest, 10), nil
}

// Insert implements rowstore.Rows.
func (r *rows) Insert(row tokenstore.OAuthToken) error {
	if err := r.begin(); err != nil {
		return err
	}
	r.highest = max(r.highest, number(row.ID))
	return r.doc.insert(row, r.doc.quotes(r.config))
}

// Update implements rowstore.Rows.
func (r *rows) Update(row tokenstore.OAuthToken) error {
	if err := r.begin(); err != nil {
		return err
	}
	return r.doc.replace(row, r.doc.quotes(r.config))
}

// Note implements rowstore.Notes.
func (r *rows) Note(row tokenstore.OAuthToken) (string, error) { return r.notes.of(row), nil }

// SetNote implements rowstore.Notes.
func (r *rows) SetNote(row tokenstore.OAuthToken, note string) error {
	if r.config.inPlace {
		return errNoNotes
	}
	if r.noted == nil {
		r.noted = map[string]string{}
	}
	r.noted[row.ID] = note
	return nil
}

// remove removes the rows that match.
func (r *rows) remove(match func(*record) bool) error {
	gone := func(rec *record) bool { return rec.kind == rowLine && match(rec) }
	if !slices.ContainsFunc(r.doc.records, gone) {
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	r.doc.records, r.doc.index = slices.DeleteFunc(r.doc.records, gone), nil
	return nil
}

// begin makes the document ready for a change.
func (r *rows) begin() error {
	r.changed = true
	return r.doc.ready(r.config)
}

// number returns the number that an ID is, if it is one that is counted; else 0.
func number(id string) int64 {
	for _, digit := range id {
		if digit < '0' || digit > '9' {
			return 0
		}
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n > math.MaxInt32 {
		return 0
	}
	return n
}

// highest returns the highest number that is an ID in the document.
func (d *document) highest() int64 {
	var n int64
	for _, r := range d.records {
		if r.kind == rowLine {
			n = max(n, number(r.token.ID))
		}
	}
	return n
}
