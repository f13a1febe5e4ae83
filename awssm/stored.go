// The stored form of a secret: the fields of the data, and a nonce, by which two writers
// of the same data remain two writes.

package awssm

import (
	"bytes"
	"crypto/rand"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

const (
	// nonceField is a new random string in each version that this package stores.
	nonceField = driver.Reserved + "nonce"
	// maxValue is the largest secret value, in bytes, overhead is more than the nonce
	// needs, and maxSize is what is left for data.
	maxValue = 65536
	overhead = 64
	maxSize  = maxValue - overhead
)

// encode returns the stored form of data that driver.CheckData has passed.
func encode(data []byte) ([]byte, error) {
	object, err := driver.DecodeObject(data)
	if err != nil {
		return nil, err
	}
	object.SetPrefix(driver.Reserved, nil)
	return sign(object), nil
}

// sign encodes an object with a nonce of its own.
func sign(object driver.Object) []byte {
	object.Set(nonceField, rand.Text())
	return object.Encode()
}

// decode returns stored data without this package's fields. What a person has stored
// without any is returned as it is. It may reuse the memory of value.
func decode(value []byte) []byte {
	if cut, ok := withoutNonce(value); ok {
		return cut
	}
	if !bytes.Contains(value, []byte(driver.Reserved)) {
		return value
	}
	object, err := driver.DecodeObject(value)
	if err != nil || len(object.WithPrefix(driver.Reserved)) == 0 {
		return value
	}
	object.SetPrefix(driver.Reserved, nil)
	return object.Encode()
}

// nonceBegin begins the field of the nonce.
var nonceBegin = []byte(`"` + nonceField + `":"`)

// withoutNonce cuts the nonce from stored data, in place and without decoding it: every read
// of a secret would pay for that. It reports false, and changes nothing, unless the nonce is a
// field of the object itself, as encode writes it, and the only field of this package.
func withoutNonce(value []byte) ([]byte, bool) {
	begin := bytes.Index(value, []byte(driver.Reserved)) - 1
	if begin < 1 || value[0] != '{' || !bytes.HasPrefix(value[begin:], nonceBegin) || bytes.IndexByte(value[1:begin], '{') >= 0 {
		return nil, false // It may be in an object within the object, or not the only field.
	}
	end := begin + len(nonceBegin)
	for end < len(value) && escape.Alphanumeric(value[end]) {
		end++
	}
	rest := value[min(end+1, len(value)):]
	if end == len(value) || value[end] != '"' || bytes.Contains(rest, []byte(driver.Reserved)) {
		return nil, false
	}
	before := value[:begin]
	switch {
	case bytes.HasPrefix(rest, []byte(`,"`)) && (begin == 1 || value[begin-1] == ','):
		rest = rest[1:]
	case bytes.HasPrefix(rest, []byte("}")) && bytes.HasSuffix(before, []byte(`",`)):
		before = before[:begin-1]
	default:
		return nil, false
	}
	return append(before, rest...), true
}

// valueOf returns a copy of a secret's value; a person may have stored it as binary.
func valueOf(text *string, binary []byte) []byte {
	if text == nil {
		return bytes.Clone(binary)
	}
	return []byte(*text)
}
