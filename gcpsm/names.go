// Logical names can hold slashes and any other character; the service's IDs cannot. So
// names are escaped, and long ones are hashed and kept in full in an annotation.

package gcpsm

import (
	"fmt"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

const (
	// maxName is the length of a secret's ID: letters, digits, hyphens and
	// underscores. https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create
	maxName = 255
	// hashMark begins a hash; no escape begins with it.
	hashMark = "-h"
	// longest is the longest encoded name that can be kept in an annotation of a
	// secret whose ID is a hash. Annotations can hold 16 KiB.
	longest = 8000
	// nameKey is that annotation.
	nameKey = "tokenstore-name"
)

// keptLen is how much of a hashed name the secret's ID keeps, at most: it is cut
// at the end of an escape.
const keptLen = maxName - len(hashMark) - escape.HashLen

// names escapes what an ID cannot contain. A slash becomes two hyphens.
var names = escape.Alphabet{Mark: '-', Upper: true, Slash: true, Plain: func(name string, i int) bool {
	return escape.Alphanumeric(name[i]) || name[i] == '_'
}}

// SecretID returns the ID of the secret for a logical name, for use in the Google
// Cloud console or gcloud: tokenstore--tokens--abc for "tokenstore/tokens/abc".
// Characters that the service does not allow are escaped, and long names are
// hashed.
func SecretID(name string) (string, error) {
	id, _, err := encodeName(name)
	return id, err
}

// encodeName returns the secret's ID for a logical name, and the full encoded name
// if it is too long and the ID holds a hash of it.
func encodeName(name string) (id, full string, err error) {
	if err := driver.CheckName(name); err != nil {
		return "", "", err
	}
	encoded := names.Escape(name)
	switch {
	case len(encoded) <= maxName:
		return encoded, "", nil
	case len(encoded) > longest:
		return "", "", fmt.Errorf("%w: the name must not be longer than %d bytes once encoded", driver.ErrInvalid, longest)
	}
	return encoded[:whole(encoded, keptLen)] + hashMark + escape.Hash(encoded), encoded, nil
}

// whole returns the greatest length up to n that cuts no escape.
func whole(encoded string, n int) int {
	end := 0
	for next := 0; next <= n; next += tokenLen(encoded[next:]) {
		end = next
	}
	return end
}

// tokenLen returns the length of the escape, or the plain byte, at the start of an
// encoded string.
func tokenLen(encoded string) int {
	switch {
	case encoded[0] != names.Mark:
		return 1
	case len(encoded) > 1 && encoded[1] == names.Mark:
		return len("--")
	}
	return len("-XX")
}

// decodeName returns the logical name of a secret, given its ID and the annotation
// that may hold the name. It is false for an ID that encodeName did not make.
func decodeName(id, kept string) (string, bool) {
	name, ok := names.Unescape(id)
	if !ok {
		name, ok = names.Unescape(kept)
	}
	if !ok {
		return "", false
	}
	again, _, err := encodeName(name)
	return name, err == nil && again == id
}

// filterFor returns a string that the IDs of all names with the given prefix
// contain: nothing that a hash may have replaced, and no leading hyphen, which a
// filter would take for an operator.
func filterFor(prefix string) string {
	encoded := names.Escape(prefix)
	return strings.TrimLeft(encoded[:min(len(encoded), keptLen-len("-XX"))], string(names.Mark))
}
