package gcpsm

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/tokenstore/driver"
)

// The fields that the driver adds to each version, as text like all others.
const (
	generationField = driver.Reserved + "generation"
	baseField       = driver.Reserved + "base"
	nonceField      = driver.Reserved + "nonce"
	writtenField    = driver.Reserved + "written"
	oldestField     = driver.Reserved + "oldest"
	deletedField    = driver.Reserved + "deleted"
)

const (
	// maxPayload is the size of the largest version, in bytes.
	// https://docs.cloud.google.com/secret-manager/quotas
	maxPayload = 64 << 10
	// overhead is more than the driver's fields take.
	overhead = 320
	maxSize  = maxPayload - overhead
)

// checkData returns the fields of data that can be stored.
func checkData(data []byte) (map[string]json.RawMessage, error) {
	if err := driver.CheckData(data, maxSize); err != nil {
		return nil, err
	}
	return object(data), nil
}

// object returns the fields of a JSON object, and nil if data is something else.
func object(data []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if !utf8.Valid(data) || json.Unmarshal(data, &fields) != nil {
		return nil
	}
	return fields
}

// withoutOurs returns an object without the driver's fields.
func withoutOurs(fields map[string]json.RawMessage) []byte {
	return join(fields, theirs(fields))
}

// theirs returns the names of the fields that are not the driver's.
func theirs(fields map[string]json.RawMessage) []string {
	names := slices.Sorted(maps.Keys(fields))
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, driver.Reserved) })
}

// join writes an object, value for value as it stands.
func join(fields map[string]json.RawMessage, names []string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		_ = enc.Encode(name) // A text cannot fail.
		b.Truncate(b.Len() - 1)
		b.WriteByte(':')
		b.Write(fields[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// encode returns what is stored for a version: the data's fields, and then the
// driver's, so that a person finds them at the end.
func encode(v version, fields map[string]json.RawMessage) []byte {
	names, all := theirs(fields), maps.Clone(fields)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	set := func(name, value string) {
		if value != "" {
			all[name] = json.RawMessage(strconv.Quote(value))
			names = append(names, name)
		}
	}
	set(generationField, strconv.FormatInt(v.generation, 10))
	set(baseField, v.base)
	set(nonceField, v.nonce)
	set(writtenField, strconv.FormatInt(v.written, 10))
	set(oldestField, strconv.FormatInt(v.oldest, 10))
	if v.deleted {
		set(deletedField, "true")
	}
	return join(all, names)
}

// decode reads a version. What has not the driver's fields was stored by a
// person, and stays as it is.
func decode(number int64, payload []byte) version {
	v := version{number: number, state: stored, data: payload}
	if !bytes.Contains(payload, []byte(driver.Reserved)) {
		return v
	}
	fields := object(payload)
	if len(theirs(fields)) == len(fields) {
		return v
	}
	v.data = withoutOurs(fields)
	nonce, generation := text(fields[nonceField]), text(fields[generationField])
	n, err := strconv.ParseInt(generation, 10, 64)
	if nonce == "" || err != nil || n < 0 {
		return v
	}
	v.nonce, v.generation, v.base = nonce, n, text(fields[baseField])
	v.written, _ = strconv.ParseInt(text(fields[writtenField]), 10, 64)
	v.oldest, _ = strconv.ParseInt(text(fields[oldestField]), 10, 64)
	v.deleted = text(fields[deletedField]) == "true"
	return v
}

func text(value json.RawMessage) string {
	var s string
	_ = json.Unmarshal(value, &s) // What is no text is none.
	return s
}
