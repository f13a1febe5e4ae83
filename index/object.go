package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenstore/driver"
)

const (
	generationField = "generation"
	// idMark begins the names of the fields that belong to an ID. It keeps them
	// apart from all others, since an ID may be any word.
	idMark = "@"
)

// rawText is the JSON of one value.
type rawText = json.RawMessage

// object is one secret of an index: a flat JSON object whose values are
// strings. Fields that are not understood stay as they are.
type object struct {
	name, revision string
	generation     int64
	size           int
	fields         map[string]json.RawMessage
}

func absent(name string) object {
	return object{name: name, fields: map[string]json.RawMessage{}}
}

// exists reports whether the secret is stored.
func (o object) exists() bool { return o.revision != "" }

var errNoObject = fmt.Errorf("%w: not a JSON object", driver.ErrUnreadable)

func decodeObject(s driver.Secret) (object, error) {
	o := object{name: s.Name, revision: s.Revision, size: len(s.Data)}
	if err := json.Unmarshal(s.Data, &o.fields); err != nil || o.fields == nil {
		return object{}, errNoObject
	}
	var err error
	o.generation, err = o.number(generationField)
	return o, err
}

// encode returns the data. Equal objects give equal data.
func (o object) encode() []byte {
	o.setNumber(generationField, o.generation)
	names := make([]string, 0, len(o.fields))
	size := 2
	for name, value := range o.fields {
		names = append(names, name)
		size += len(name) + len(value) + 4
	}
	slices.Sort(names)
	data := append(make([]byte, 0, size), '{')
	for i, name := range names {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(appendQuoted(data, name), ':')
		data = append(data, o.fields[name]...)
	}
	return append(data, '}')
}

// appendQuoted appends text as a JSON string.
func appendQuoted(data []byte, text string) []byte {
	if plain(text) {
		return append(append(append(data, '"'), text...), '"')
	}
	quoted, _ := json.Marshal(text) // A string always encodes.
	return append(data, quoted...)
}

// plain reports whether text needs no escapes in a JSON string.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// text returns a field's text; a number or a boolean stands for its text, null
// for nothing.
func (o object) text(name string) (string, error) {
	raw := o.fields[name]
	if len(raw) == 0 || raw[0] == 'n' {
		return "", nil
	}
	switch raw[0] {
	case '{', '[':
		return "", fmt.Errorf("%w: field %s is not a text", driver.ErrUnreadable, shown(name))
	case '"':
		if inner := string(raw[1 : len(raw)-1]); plain(inner) {
			return inner, nil
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", fmt.Errorf("%w: field %s is not a text", driver.ErrUnreadable, shown(name))
		}
		return text, nil
	}
	return string(raw), nil
}

// shown is how an error names a field: an ID that a caller chose is not shown.
func shown(name string) string {
	if strings.HasPrefix(name, idMark) {
		return "of an ID"
	}
	return strconv.Quote(name)
}

// number returns a field's number, zero if there is none.
func (o object) number(name string) (int64, error) {
	text, err := o.text(name)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxNumber {
		return 0, fmt.Errorf("%w: field %s is not a number", driver.ErrUnreadable, shown(name))
	}
	return n, nil
}

// maxNumber is the largest generation or time that is read or written; sums of
// two do not overflow.
const maxNumber = 1 << 53

// setText sets a field, or removes it if text is empty.
func (o object) setText(name, text string) {
	if text == "" {
		delete(o.fields, name)
		return
	}
	o.fields[name] = appendQuoted(nil, text)
}

// setNumber sets a field, or removes it if n is zero.
func (o object) setNumber(name string, n int64) {
	if n == 0 {
		delete(o.fields, name)
		return
	}
	o.setText(name, strconv.FormatInt(n, 10))
}

// takeNumber is number, and removes the field.
func (o object) takeNumber(name string) (int64, error) {
	n, err := o.number(name)
	delete(o.fields, name)
	return n, err
}
