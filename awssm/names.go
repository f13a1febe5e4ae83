package awssm

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

const (
	// maxName is the length of a secret's name. CreateSecret takes 512
	// characters, the replies of other calls only 256.
	maxName = 256
	// escape begins an escape: two hexadecimal digits in upper case follow, or
	// hashMark and a hash. It is itself escaped.
	escape   = '='
	hashMark = 'h'
	// suffix is the length of what the service appends to a name in an ARN. A
	// name that ends like one is mistaken for it.
	suffix = 6
	// longest is the length of an encoded name that still fits the description
	// of its secret, where it is kept when it is hashed.
	longest = maxDescription - len(nameLabel)
	// nameLabel begins the description of a secret whose name is hashed.
	nameLabel = "tokenstore name: "
)

// hashLen is the length of a hash in a name.
var hashLen = len(index.Base32(make([]byte, sha256.Size)))

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
	encoded = encodeText(name)
	if at := len(encoded) - suffix - 1; at >= 0 && encoded[at] == '-' {
		encoded = encoded[:at] + escaped('-') + encoded[at+1:]
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
	sum := sha256.Sum256([]byte(encoded))
	return encoded[:keptLen()] + string(escape) + string(hashMark) + index.Base32(sum[:])
}

// keptLen is how much of a hashed name still stands in the secret's name.
func keptLen() int { return maxName - hashLen - len("=h") }

// encodeText escapes what a name may not contain, byte for byte.
func encodeText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if plain(text[i]) {
			b.WriteByte(text[i])
		} else {
			b.WriteString(escaped(text[i]))
		}
	}
	return b.String()
}

func escaped(c byte) string { return fmt.Sprintf("%c%02X", escape, c) }

// plain reports whether a byte stands for itself. The service allows letters,
// digits and /_+=.@-.
func plain(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("/_+.@-", c) >= 0
}

// decodeName returns the logical name of a secret, given its description. It is
// false for a secret whose name was not made by encodeName.
func decodeName(secret, description string) (string, bool) {
	full := secret
	if i := len(secret) - hashLen - len("=h"); i == keptLen() && secret[i] == escape && secret[i+1] == hashMark {
		var ok bool
		if full, ok = strings.CutPrefix(description, nameLabel); !ok {
			return "", false
		}
	}
	name, ok := decodeText(full)
	if !ok {
		return "", false
	}
	again, _, err := encodeName(name)
	return name, err == nil && again == secret
}

func decodeText(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != escape {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		var c byte
		if _, err := fmt.Sscanf(text[i+1:i+3], "%02X", &c); err != nil {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), true
}

// filterFor returns a beginning that the secrets of all names with the given
// prefix share: no hyphen that encodeName may have escaped in one of them, and
// nothing that a hash may have replaced.
func filterFor(prefix string) string {
	encoded := encodeText(prefix)
	for at := max(0, len(encoded)-suffix-1); at < len(encoded); at++ {
		if encoded[at] == '-' {
			encoded = encoded[:at]
			break
		}
	}
	return encoded[:min(len(encoded), keptLen())]
}
