// Logical names and the names of secrets, one for one: what the service does not
// allow is escaped, what is too long is hashed, and a listing gives the logical
// names back.

package awssm

import (
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

const (
	// maxName is the length of a secret's name. CreateSecret takes 512
	// characters, the replies of other calls only 256.
	maxName = 256
	// hashMark begins a hash. No escape begins so.
	hashMark = "=h"
	// suffix is the length of what the service appends to a name in an ARN. A
	// name that ends like one is mistaken for it.
	suffix = 6
	// longest is the length of an encoded name that still fits the description
	// of its secret, where it is kept when it is hashed.
	longest = maxDescription - len(nameLabel)
	// nameLabel begins the description of a secret whose name is hashed.
	nameLabel = "tokenstore name: "
)

// names escapes what a name may not contain. The service allows letters, digits
// and /_+=.@-.
var names = escape.Alphabet{Mark: '=', Upper: true, Plain: func(name string, i int) bool {
	return escape.Alphanumeric(name[i]) || strings.IndexByte("/_+.@-", name[i]) >= 0
}}

// SecretName returns the name that the secret of a logical name has in the
// service, for those who look for it there. What the service does not allow is
// escaped, and what is too long is hashed.
func SecretName(name string) (string, error) {
	encoded, _, err := encodeName(name)
	return encoded, err
}

// encodeName returns the secret's name for a logical name, and the encoded name
// in full if that is too long, so that it stands in the secret's name as a hash.
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
		return "", "", fmt.Errorf("%w: the name is longer than %d", driver.ErrInvalid, longest)
	}
	return hashed(encoded), encoded, nil
}

// hashed shortens an encoded name: its beginning stays, for listings by prefix.
func hashed(encoded string) string {
	return encoded[:keptLen] + hashMark + escape.Hash(encoded)
}

// keptLen is how much of a hashed name still stands in the secret's name.
const keptLen = maxName - len(hashMark) - escape.HashLen

// decodeName returns the logical name of a secret, given its description. It is
// false for a secret whose name was not made by encodeName.
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

// filterFor returns a beginning that the secrets of all names with the given
// prefix share: no hyphen that encodeName may have escaped in one of them, and
// nothing that a hash may have replaced.
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
