// Logical names map one-to-one to the names of secrets: characters that the service does
// not allow are escaped, long names are hashed, and a list returns the logical names.

package awssm

import (
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

const (
	// maxName is the longest name of a secret. CreateSecret allows 512 characters,
	// the replies of other calls only 256.
	maxName = 256
	// hashMark begins a hash; no escape begins with it.
	hashMark = "=h"
	// suffix is the length of the suffix that the service appends to a name in an
	// ARN. A name with such an ending would be mistaken for one.
	suffix = 6
	// longest is the longest encoded name that fits into the secret's description,
	// where the name of a hashed secret is kept.
	longest = maxDescription - len(nameLabel)
	// nameLabel begins the description of a secret whose name is hashed.
	nameLabel = "tokenstore name: "
)

// names escapes what a name cannot contain. The service allows letters, digits and
// /_+=.@-.
var names = escape.Alphabet{Mark: '=', Upper: true, Plain: func(name string, i int) bool {
	return escape.Alphanumeric(name[i]) || strings.IndexByte("/_+.@-", name[i]) >= 0
}}

// SecretName returns the name of the secret for a logical name, for use in the AWS
// console or CLI. Characters that the service does not allow are escaped, and long
// names are hashed.
func SecretName(name string) (string, error) {
	encoded, _, err := encodeName(name)
	return encoded, err
}

// encodeName returns the secret's name for a logical name, and the full encoded name if
// it is too long and the secret's name holds a hash of it.
func encodeName(name string) (encoded, full string, err error) {
	if err := driver.CheckName(name); err != nil {
		return "", "", err
	}
	encoded = names.Escape(name)
	if at := len(encoded) - suffix - 1; at >= 0 && encoded[at] == '-' {
		encoded = encoded[:at] + names.Byte('-') + encoded[at+1:]
	}
	switch {
	case len(encoded) <= maxName:
		return encoded, "", nil
	case len(encoded) > longest:
		return "", "", fmt.Errorf("%w: the name must not be longer than %d bytes once encoded", driver.ErrInvalid, longest)
	}
	return hashed(encoded), encoded, nil
}

// hashed shortens an encoded name. It keeps the beginning, for lists by prefix.
func hashed(encoded string) string {
	return encoded[:keptLen] + hashMark + escape.Hash(encoded)
}

// keptLen is how much of a hashed name the secret's name keeps.
const keptLen = maxName - len(hashMark) - escape.HashLen

// decodeName returns the logical name of a secret, given its description. It is false
// for a name that encodeName did not make.
func decodeName(secret, description string) (string, bool) {
	full := secret
	if len(secret) == maxName && strings.HasPrefix(secret[keptLen:], hashMark) {
		var ok bool
		if full, ok = strings.CutPrefix(description, nameLabel); !ok {
			return "", false
		}
	}
	name, ok := names.Unescape(full)
	if !ok {
		return "", false
	}
	again, _, err := encodeName(name)
	return name, err == nil && again == secret
}

// filterFor returns a prefix shared by the secrets of all names with the given prefix:
// no trailing hyphen, which encodeName may have escaped in some, and nothing that a hash
// may have replaced.
func filterFor(prefix string) string {
	encoded := names.Escape(prefix)
	for at := max(0, len(encoded)-suffix-1); at < len(encoded); at++ {
		if encoded[at] == '-' {
			encoded = encoded[:at]
			break
		}
	}
	return encoded[:min(len(encoded), keptLen)]
}
