// The fields of a token's secret other than the token's own. A new field needs one entry
// in bookkeepingFields, and a value in the struct if the engine uses it: reads, updates,
// fences, tombstones and the test of whose a secret is all use that table. An insert
// starts with a zero bookkeeping.

package secretstore

import (
	"slices"
	"strconv"

	"example.com/tokenstore/driver"
)

// bookkeeping is the engine's own data in a token's secret.
type bookkeeping struct {
	generation int64  // counts the writes of the secret
	created    int64  // epoch microseconds of the insert
	deleted    int64  // epoch microseconds of the deletion
	digest     string // of the keys that the last writer claimed
}

// bookkeepingField is one field of the bookkeeping.
type bookkeepingField struct {
	name string
	// in lists the states of a row in which the field is written; in the others it is
	// removed.
	in []state
	// marks says that the field, together with a generation, shows that a secret is a
	// store's: it never occurs by chance.
	marks bool
	// text and read are nil if the engine only keeps the field.
	text func(*bookkeeping) string
	read func(*bookkeeping, driver.Object, string)
}

const (
	deletedField = "deleted"
	noteField    = "note"
)

// bookkeepingFields starts with the generation, on which hasBookkeeping relies.
var bookkeepingFields = []bookkeepingField{
	number("generation", false, func(b *bookkeeping) *int64 { return &b.generation }, live, tombstone),
	number("created", true, func(b *bookkeeping) *int64 { return &b.created }, live),
	number(deletedField, true, func(b *bookkeeping) *int64 { return &b.deleted }, tombstone),
	text("keys", true, func(b *bookkeeping) *string { return &b.digest }, live),
	// Only a swap sets it; see noteOf. It is no key, so a note that a person has edited
	// leaves the row unedited.
	kept(noteField, live),
}

// Data with driver.FormField comes from a later release; interpret refuses it.

// kept describes a field that the engine neither reads nor changes.
func kept(name string, in ...state) bookkeepingField { return bookkeepingField{name: name, in: in} }

// number describes a field with a number; zero if it is missing or invalid.
func number(name string, marks bool, of func(*bookkeeping) *int64, in ...state) bookkeepingField {
	return bookkeepingField{name, in, marks,
		func(b *bookkeeping) string { return strconv.FormatInt(*of(b), 10) },
		func(b *bookkeeping, object driver.Object, name string) { *of(b), _ = object.Number(name) }}
}

// text describes a field with a string; empty if it is missing or invalid.
func text(name string, marks bool, of func(*bookkeeping) *string, in ...state) bookkeepingField {
	return bookkeepingField{name, in, marks,
		func(b *bookkeeping) string { return *of(b) },
		func(b *bookkeeping, object driver.Object, name string) { *of(b), _ = object.Text(name) }}
}

// read reads the bookkeeping in a secret.
func (b *bookkeeping) read(object driver.Object) {
	for _, f := range bookkeepingFields {
		if f.read != nil {
			f.read(b, object, f.name)
		}
	}
}

// hasBookkeeping reports whether a secret has the bookkeeping of a store: a generation,
// and a field that marks it as a store's.
func hasBookkeeping(object driver.Object) bool {
	if !object.Has(bookkeepingFields[0].name) {
		return false
	}
	for _, f := range bookkeepingFields {
		if f.marks && object.Has(f.name) {
			return true
		}
	}
	return false
}

// overwritten reports whether a secret has no bookkeeping at all: it was not edited, but
// replaced.
func overwritten(object driver.Object) bool {
	return !slices.ContainsFunc(bookkeepingFields, func(f bookkeepingField) bool { return f.read != nil && object.Has(f.name) })
}

// data returns the data of the row's secret. In updates and fences, a live row keeps the
// fields that are not the engine's, known or not; a tombstone keeps none. A damaged row
// is written only to fence it, and is not changed.
func (r *row) data() []byte {
	var object driver.Object
	if r.state == live || r.state == damaged {
		object = r.object.Clone()
	}
	if r.state == damaged {
		if !r.uncounted {
			object.SetNumber(bookkeepingFields[0].name, r.generation)
		}
		return object.Encode()
	}
	for _, f := range bookkeepingFields {
		there := slices.Contains(f.in, r.state)
		if there && f.text == nil {
			continue // It is already in the object.
		}
		text := ""
		if there {
			text = f.text(&r.bookkeeping)
		}
		object.Set(f.name, text)
	}
	return object.Encode()
}
