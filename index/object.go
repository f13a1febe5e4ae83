// The common part of both forms: each of their secrets is a flat JSON object with a
// generation and a field for each ID.

package index

import (
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
)

const (
	generationField = "generation"
	// idMark is the prefix of the fields that belong to an ID. It sets them apart from
	// all other fields, since an ID may be any word.
	idMark = "@"
)

// object is one secret of an index. Unknown fields are kept as they are.
type object struct {
	driver.Object
	name, revision string
	generation     int64
	size           int
	restored       bool  // somebody has put an older version back
	decoded        *page // of a document whose revision was decoded before; nil otherwise
}

func absent(name string) object { return object{name: name} }

// exists reports whether the secret is stored.
func (o object) exists() bool { return o.revision != "" }

// decodeObject parses the data of a secret of an index. It refuses data in a form of a
// later release, with an error that does not advise deleting it.
func decodeObject(s driver.Secret) (object, error) {
	o := absent(s.Name)
	o.revision, o.size, o.restored = s.Revision, len(s.Data), s.Restored
	var err error
	if o.Object, err = driver.DecodeObject(s.Data); err != nil {
		return object{}, broken(s.Name, err)
	}
	if err := o.CheckForm(); err != nil {
		return object{}, errorIn(s.Name, err)
	}
	for _, f := range o.ids() {
		if _, err := f.Text(); err != nil || !validID(idOf(f)) {
			return object{}, broken(s.Name, fmt.Errorf("%w: malformed field of an ID", driver.ErrUnreadable)) // A caller may have chosen the ID, so it is not shown.
		}
	}
	o.generation, err = o.number(generationField)
	return o, broken(s.Name, err)
}

// encode returns the data. Equal objects give equal data.
func (o object) encode() []byte {
	o.SetNumber(generationField, o.generation)
	return o.Encode()
}

// ids returns the fields of IDs, in order of the IDs.
func (o object) ids() []driver.Field { return o.WithPrefix(idMark) }

// idOf returns the ID to which field f belongs.
func idOf(f driver.Field) string { return strings.TrimPrefix(f.Name, idMark) }

// textOf returns the value of an ID's field. decodeObject has checked that it is a string.
func textOf(f driver.Field) string {
	text, _ := f.Text()
	return text
}

// setID sets the field of an ID, or removes it if text is empty.
func (o *object) setID(id, text string) { o.Set(idMark+id, text) }

// number returns the number in one of the index's own fields; zero if it is absent.
func (o object) number(name string) (int64, error) {
	n, err := o.Number(name)
	if err != nil {
		return 0, fmt.Errorf("field %s: %w", name, err)
	}
	return n, nil
}

// takeNumber returns the number in a field and removes the field.
func (o *object) takeNumber(name string) (int64, error) {
	n, err := o.number(name)
	o.Set(name, "")
	return n, err
}
