// One reading, encoding and editing of the stored form, shared by the engine and the
// index: what a person or a later release added survives every write, and nothing of
// the data reaches an error or a log.

package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Object is a flat JSON object whose values are strings: the form of all data that
// the engine and its index store, so that a person can edit it in a cloud console.
// The zero Object is empty. Like copies of a map, copies of an Object share its
// fields; to change a copy on its own, use [Object.Clone].
//
// Reading is lenient: a number or a boolean is read as its literal, null as "". A
// value of any other type is kept unchanged. Printing, logging or marshalling an
// Object shows none of its contents.
type Object struct {
	fields []Field // sorted by name
}

// Field is one field of an [Object].
type Field struct {
	Name  string
	value string // the string itself, or JSON if raw is set
	raw   bool
}

// String returns the name, not the value.
func (f Field) String() string { return "field " + strconv.Quote(f.Name) }

// Format writes what String returns, whatever the verb.
func (f Field) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(f.String())) }

// LogValue returns what String returns.
func (f Field) LogValue() slog.Value { return slog.StringValue(f.String()) }

// MaxNumber is the largest number that an [Object] reads or writes. The sum of two
// such numbers does not overflow.
const MaxNumber = 1 << 53

// DecodeObject decodes one JSON object. Anything else gives an error that matches
// [ErrUnreadable] and, unlike those of encoding/json, quotes none of the data.
func DecodeObject(data []byte) (Object, error) {
	if len(data) == 0 {
		return Object{}, fmt.Errorf("%w: it is stored without data", ErrUnreadable)
	}
	fields, ok := scan(string(data))
	if !ok {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(data, &values); err != nil || values == nil {
			return Object{}, fmt.Errorf("%w: not a JSON object", ErrUnreadable)
		}
		fields = make([]Field, 0, len(values))
		for name, value := range values {
			fields = append(fields, decodeField(name, value))
		}
		fields = inOrder(fields)
	}
	return Object{fields}, nil
}

// decodeField keeps a value that is not a plain string as its JSON, so that a number
// in another notation, or an escape, survives every write.
func decodeField(name string, value json.RawMessage) Field {
	if text := string(value); len(text) >= 2 && text[0] == '"' && plain(text[1:len(text)-1]) {
		return Field{Name: name, value: text[1 : len(text)-1]}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil { // Not reached: value was decoded from JSON.
		compact.Write(value)
	}
	return Field{Name: name, value: compact.String(), raw: true}
}

// plain reports whether text needs no escapes in a JSON string.
func plain(text string) bool { return plainLen(text) == len(text) }

// Encode returns the object as JSON. Equal objects give equal data.
func (o Object) Encode() []byte {
	size := len("{}")
	for _, f := range o.fields {
		size += len(f.Name) + len(f.value) + len(`"":"",`)
	}
	data := append(make([]byte, 0, size), '{')
	for i, f := range o.fields {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(appendQuoted(data, f.Name), ':')
		if f.raw {
			data = append(data, f.value...)
		} else {
			data = appendQuoted(data, f.value)
		}
	}
	return append(data, '}')
}

// appendQuoted appends text as a JSON string, without HTML escapes because people read
// the result in consoles.
func appendQuoted(data []byte, text string) []byte {
	if plain(text) {
		return append(append(append(data, '"'), text...), '"')
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // A string always encodes.
	return append(data, bytes.TrimRight(b.Bytes(), "\n")...)
}

// Text returns the field as a string: a number or a boolean is read as its literal,
// null as "". Any other value gives an error that matches [ErrUnreadable].
func (f Field) Text() (string, error) {
	if !f.raw {
		return f.value, nil
	}
	switch f.value[0] {
	case '"':
		var text string
		if err := json.Unmarshal([]byte(f.value), &text); err != nil {
			return "", fmt.Errorf("%w: not a string", ErrUnreadable)
		}
		return text, nil
	case '{', '[':
		return "", fmt.Errorf("%w: not a string", ErrUnreadable)
	case 'n':
		return "", nil
	}
	return f.value, nil
}

// at returns the index of the field, or where it would be inserted, and whether it
// exists.
func (o Object) at(name string) (int, bool) {
	low, high := 0, len(o.fields)
	for low < high { // As slices.BinarySearchFunc, but without a call for each comparison.
		if middle := (low + high) / 2; o.fields[middle].Name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(o.fields) && o.fields[low].Name == name
}

// Has reports whether there is a field with that name, whatever its value.
func (o Object) Has(name string) bool {
	_, ok := o.at(name)
	return ok
}

// Text returns a field as a string, or "" if there is no such field. See [Field.Text].
func (o Object) Text(name string) (string, error) {
	if i, ok := o.at(name); ok {
		return o.fields[i].Text()
	}
	return "", nil
}

// Number returns the number in a field, from 0 to MaxNumber, or zero if there is no
// such field. Anything else gives an error that matches [ErrUnreadable].
func (o Object) Number(name string) (int64, error) {
	text, err := o.Text(name)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > MaxNumber {
		return 0, fmt.Errorf("%w: not a number", ErrUnreadable)
	}
	return n, nil
}

// Set sets a field, or removes it if text is empty.
func (o *Object) Set(name, text string) {
	i, there := o.at(name)
	switch {
	case there && text == "":
		o.fields = slices.Delete(o.fields, i, i+1)
	case there:
		o.fields[i] = Field{Name: name, value: text}
	case text != "":
		o.fields = slices.Insert(o.fields, i, Field{Name: name, value: text})
	}
}

// SetNumber sets a field, or removes it if n is zero.
func (o *Object) SetNumber(name string, n int64) {
	if n == 0 {
		o.Set(name, "")
		return
	}
	o.Set(name, strconv.FormatInt(n, 10))
}

// Clone returns a copy that shares nothing with o.
func (o Object) Clone() Object { return Object{slices.Clone(o.fields)} }

// WithPrefix returns the fields whose names begin with prefix, sorted by name. The
// slice belongs to the Object and is valid until the Object changes.
func (o Object) WithPrefix(prefix string) []Field {
	first, _ := o.at(prefix)
	rest := o.fields[first:]
	n := sort.Search(len(rest), func(i int) bool { return !strings.HasPrefix(rest[i].Name, prefix) })
	return rest[:n:n]
}

// SetPrefix replaces the fields whose names begin with prefix by fields, which must be
// sorted by name and begin with prefix too.
func (o *Object) SetPrefix(prefix string, fields []Field) {
	first, _ := o.at(prefix)
	o.fields = slices.Replace(slices.Clone(o.fields), first, first+len(o.WithPrefix(prefix)), fields...)
}

// String returns the number of fields, and none of their contents.
func (o Object) String() string { return fmt.Sprintf("object of %d fields", len(o.fields)) }

// Format writes what String returns, whatever the verb.
func (o Object) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(o.String())) }

// LogValue returns what String returns.
func (o Object) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText returns what String returns; encoding/json and others use it.
func (o Object) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
