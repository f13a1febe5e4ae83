package index

import (
	"bytes"
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
	fields         map[string]rawText // All but those of IDs.
	ids            []idField          // In order of the IDs.
}

// idField is the field of one ID.
type idField struct{ id, text string }

func absent(name string) object {
	return object{name: name, fields: map[string]rawText{}}
}

// exists reports whether the secret is stored.
func (o object) exists() bool { return o.revision != "" }

func decodeObject(s driver.Secret) (object, error) {
	o := absent(s.Name)
	o.revision, o.size = s.Revision, len(s.Data)
	if !o.scan(string(s.Data)) {
		if err := o.unmarshal(s.Data); err != nil {
			return object{}, err
		}
	}
	byID := func(a, b idField) int { return strings.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(o.ids, byID) {
		slices.SortStableFunc(o.ids, byID)
	}
	for i, f := range o.ids {
		if !validID(f.id) || i > 0 && f.id == o.ids[i-1].id {
			return object{}, fmt.Errorf("%w: field %s", driver.ErrUnreadable, shown(idMark))
		}
	}
	var err error
	o.generation, err = o.number(generationField)
	return o, err
}

// unmarshal reads any JSON object.
func (o *object) unmarshal(data []byte) error {
	var fields map[string]rawText
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return fmt.Errorf("%w: not a JSON object", driver.ErrUnreadable)
	}
	o.fields, o.ids = fields, nil
	for name := range fields {
		id, ok := strings.CutPrefix(name, idMark)
		if !ok {
			continue
		}
		text, err := o.text(name)
		if err != nil {
			return err
		}
		o.ids = append(o.ids, idField{id, text})
		delete(fields, name)
	}
	return nil
}

// scan reads an object as encode writes it mostly: strings without escapes. It
// returns false if there is anything else in it, and is many times faster than
// encoding/json.
func (o *object) scan(data string) bool {
	data, ok := strings.CutPrefix(data, "{")
	for ok {
		var name, text, next string
		if name, data, ok = scanString(data); !ok || len(data) == 0 || data[0] != ':' {
			return false
		}
		if text, data, ok = scanString(data[1:]); !ok || len(data) == 0 {
			return false
		}
		if id, marked := strings.CutPrefix(name, idMark); marked {
			o.ids = append(o.ids, idField{id, text})
		} else {
			o.fields[name] = appendQuoted(nil, text)
		}
		next, data = data[:1], data[1:]
		if next == "}" {
			return data == ""
		}
		ok = next == ","
	}
	return false
}

// scanString cuts a plain JSON string from the beginning of data.
func scanString(data string) (text, rest string, ok bool) {
	if len(data) == 0 || data[0] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(data[1:], '"')
	if end < 0 || !plain(data[1:1+end]) {
		return "", "", false
	}
	return data[1 : 1+end], data[end+2:], true
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
	for _, f := range o.ids {
		size += len(f.id) + len(f.text) + 7
	}
	data := append(make([]byte, 0, size), '{')
	first := slices.IndexFunc(names, func(name string) bool { return name > idMark })
	if first < 0 {
		first = len(names)
	}
	for _, name := range names[:first] {
		data = o.appendField(data, name)
	}
	for _, f := range o.ids {
		data = append(appendQuoted(data, idMark+f.id), ':')
		data = append(appendQuoted(data, f.text), ',')
	}
	for _, name := range names[first:] {
		data = o.appendField(data, name)
	}
	return append(bytes.TrimSuffix(data, []byte{','}), '}')
}

// appendField appends a field and a comma.
func (o object) appendField(data []byte, name string) []byte {
	data = append(appendQuoted(data, name), ':')
	return append(append(data, o.fields[name]...), ',')
}

// at returns where the field of an ID is or belongs, and whether it is there.
func (o object) at(id string) (int, bool) {
	return slices.BinarySearchFunc(o.ids, id, func(f idField, id string) int { return strings.Compare(f.id, id) })
}

// setID sets the field of an ID, or removes it if text is empty.
func (o *object) setID(id, text string) {
	i, there := o.at(id)
	switch {
	case there && text == "":
		o.ids = slices.Delete(o.ids, i, i+1)
	case there:
		o.ids[i].text = text
	case text != "":
		o.ids = slices.Insert(o.ids, i, idField{id, text})
	}
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
