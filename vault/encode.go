// The stored form: a token's fields as the fields of a Vault secret, so that people can
// read and edit them in Vault, next to this package's own.

package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"example.com/tokenstore/driver"
)

// The fields that this package adds to a secret.
const (
	nonceField   = driver.Reserved + "nonce"
	exactField   = driver.Reserved + "exact"
	deletedField = driver.Reserved + "deleted"
	versionField = driver.Reserved + "version"
)

// write is the content of one Put: the fields of the secret, including the nonce that
// identifies the write.
type write struct {
	fields map[string]json.RawMessage
	nonce  string
}

// newWrite returns the write of data that driver.CheckData has passed.
func newWrite(data []byte) (write, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return write{}, driver.ErrInvalid
	}
	exact := map[string]string{}
	for name, value := range fields {
		if strings.HasPrefix(name, driver.Reserved) {
			delete(fields, name)
			continue
		}
		if rounded, same := round(value); !same {
			exact[name] = string(value)
			fields[name] = rounded
		}
	}
	if len(exact) > 0 {
		fields[exactField] = mustMarshal(string(mustMarshal(exact)))
	}
	return sign(fields)
}

// mark returns the write that marks a secret as deleted.
func mark(stage string) (write, error) {
	return sign(map[string]json.RawMessage{deletedField: mustMarshal(stage)})
}

func sign(fields map[string]json.RawMessage) (write, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return write{}, err
	}
	nonce := hex.EncodeToString(b[:])
	fields[nonceField] = mustMarshal(nonce)
	return write{fields, nonce}, nil
}

// body returns the request that writes w over the given version.
func (w write) body(over int64) []byte { return request(over, w.fields) }

// patch returns the request that turns the given version, which has the given fields, into
// w. It is false if a JSON merge patch cannot do that: it merges objects, and takes null
// for "remove".
func (w write) patch(over int64, has []string) ([]byte, bool) {
	fields := make(map[string]json.RawMessage, len(w.fields)+len(has))
	for _, name := range has {
		fields[name] = json.RawMessage("null")
	}
	for name, value := range w.fields {
		if value[0] == '{' || value[0] == 'n' {
			return nil, false
		}
		fields[name] = value
	}
	return request(over, fields), true
}

// request returns a write over the given version. The check-and-set fixes the number of the
// new version, so it can be stored in it: content found under another number was restored
// or copied by somebody else.
func request(over int64, fields map[string]json.RawMessage) []byte {
	numbered := make(map[string]json.RawMessage, len(fields)+1)
	maps.Copy(numbered, fields)
	numbered[versionField] = mustMarshal(strconv.FormatInt(over+1, 10))
	return mustMarshal(map[string]any{"options": map[string]int64{"cas": over}, "data": numbered})
}

// mustMarshal marshals values that cannot fail: strings, numbers, and JSON that was parsed
// before. It does not escape for HTML.
func mustMarshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n")
}

// data returns the data that were put, without the fields of this package.
func data(fields map[string]json.RawMessage) []byte {
	var text string
	var exact map[string]string
	_ = json.Unmarshal(fields[exactField], &text)
	_ = json.Unmarshal([]byte(text), &exact) // If unreadable, no field is exact.
	out := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		if strings.HasPrefix(name, driver.Reserved) {
			continue
		}
		out[name] = value
		if kept := json.RawMessage(exact[name]); len(kept) > 0 && json.Valid(kept) {
			// A person may have changed the field in between.
			if was, _ := round(kept); equalRounded(was, value) {
				out[name] = kept
			}
		}
	}
	return mustMarshal(out)
}

// round returns a value as Vault returns it, and whether it is unchanged: Vault reads
// numbers as 64-bit floating point. A number too large for that becomes null, since Vault
// would store it and never be able to read it again.
func round(value json.RawMessage) (json.RawMessage, bool) {
	if len(value) > 0 && value[0] == '"' {
		return value, true
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return json.RawMessage("null"), false
	}
	rounded := mustMarshal(v)
	return rounded, bytes.Equal(rounded, canonical(value))
}

// canonical returns a value with sorted keys and unchanged numbers.
func canonical(value json.RawMessage) []byte {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil
	}
	return mustMarshal(v)
}

func equalRounded(a, b json.RawMessage) bool {
	a, _ = round(a)
	b, _ = round(b)
	return bytes.Equal(a, b)
}

// revision is one write of one secret: the version's number, and the server's time of the
// write, which distinguishes it from the same number of a secret that was removed and
// created again.
type revision struct {
	version int64
	created string
}

func (r revision) String() string { return strconv.FormatInt(r.version, 10) + "@" + r.created }

// parseRevision reports false for a string that is not a revision.
func parseRevision(text string) (revision, bool) {
	number, created, ok := strings.Cut(text, "@")
	version, err := strconv.ParseInt(number, 10, 64)
	return revision{version, created}, ok && err == nil && version > 0 && created != ""
}
