// The stored form of a secret: the fields of the data, and a nonce, by which two writers
// of the same data remain two writes.

package awssm

import (
	"bytes"
	"crypto/rand"

	"example.com/tokenstore/driver"
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
// without any is returned as it is.
func decode(value []byte) []byte {
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

// valueOf returns a secret's value; a person may have stored it as binary.
func valueOf(text *string, binary []byte) []byte {
	if text == nil {
		return binary
	}
	return []byte(*text)
}
