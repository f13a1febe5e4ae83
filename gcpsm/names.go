package gcpsm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

const (
	// maxName is the length of a secret's ID: letters, digits, hyphens and
	// underscores. https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create
	maxName = 255
	// escape begins an escape. A second one stands for a slash, two hexadecimal
	// digits in upper case stand for a byte, and hashMark for a hash.
	escape   = '-'
	hashMark = 'h'
	// longest is the length of an encoded name that is kept beside a secret whose
	// ID is a hash. Annotations take 16 KiB.
	longest = 8000
	// nameKey is the annotation that keeps it.
	nameKey = "tokenstore-name"
)

var (
	hashLen = len(index.Base32(make([]byte, sha256.Size)))
	// keptLen is how much of a hashed name stands in the secret's ID, at most: it
	// ends where an escape does.
	keptLen = maxName - hashLen - len("-h")
)

// SecretID returns the ID that the secret of a logical name has in the service,
// for those who look for it there: "tokenstore/tokens/abc" is
// tokenstore--tokens--abc. What the service does not allow is escaped, and what
// is too long is hashed.
func SecretID(name string) (string, error) {
	id, _, err := encodeName(name)
	return id, err
}

// encodeName returns the secret's ID for a logical name, and the encoded name in
// full if that is too long, so that it stands in the ID as a hash.
func encodeName(name string) (id, full string, err error) {
	if err := driver.CheckName(name); err != nil {
		return "", "", err
	}
	encoded := encodeText(name)
	switch {
	case len(encoded) <= maxName:
		return encoded, "", nil
	case len(encoded) > longest:
		return "", "", fmt.Errorf("%w: the name is longer than %d", driver.ErrInvalid, longest)
	}
	sum := sha256.Sum256([]byte(encoded))
	return encoded[:whole(encoded, keptLen)] + string(escape) + string(hashMark) + index.Base32(sum[:]), encoded, nil
}

// whole returns the greatest length up to n at which no escape is cut.
func whole(encoded string, n int) int {
	end := 0
	for next := 0; next <= n; next += tokenLen(encoded[next:]) {
		end = next
	}
	return end
}

// tokenLen returns the length of the escape, or of the plain byte, with which an
// encoded text begins.
func tokenLen(encoded string) int {
	switch {
	case encoded[0] != escape:
		return 1
	case len(encoded) > 1 && encoded[1] == escape:
		return len("--")
	}
	return len("-XX")
}

// encodeText escapes what an ID may not contain, byte for byte.
func encodeText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case plain(c):
			b.WriteByte(c)
		case c == '/':
			b.WriteByte(escape)
			b.WriteByte(escape)
		default:
			fmt.Fprintf(&b, "%c%02X", escape, c)
		}
	}
	return b.String()
}

// plain reports whether a byte stands for itself.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// decodeName returns the logical name of a secret, given the name that may be
// kept beside it. It is false for a secret whose ID was not made by encodeName.
func decodeName(id, kept string) (string, bool) {
	name, ok := decodeText(id)
	if !ok {
		name, ok = decodeText(kept)
	}
	if !ok {
		return "", false
	}
	again, _, err := encodeName(name)
	return name, err == nil && again == id
}

func decodeText(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != escape:
			b.WriteByte(text[i])
			continue
		case i+1 < len(text) && text[i+1] == escape:
			b.WriteByte('/')
			i++
			continue
		case i+2 >= len(text):
			return "", false
		}
		c, err := hex.DecodeString(text[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}

// filterFor returns a text that the IDs of all names with the given prefix
// contain: nothing that a hash may have replaced, and no hyphen at its start,
// where a filter would take it for something else.
func filterFor(prefix string) string {
	encoded := encodeText(prefix)
	return strings.TrimLeft(encoded[:min(len(encoded), keptLen-len("-XX"))], string(escape))
}
