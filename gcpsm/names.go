package gcpsm

// Logical names have slashes and any characters; the service's IDs have neither. So
// names are escaped, and what gets too long is hashed, with the name kept beside it.

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
	// hashMark begins a hash. No escape begins so.
	hashMark = "-h"
	// longest is the length of an encoded name that is kept beside a secret whose
	// ID is a hash. Annotations take 16 KiB.
	longest = 8000
	// nameKey is the annotation that keeps it.
	nameKey = "tokenstore-name"
)

// keptLen is how much of a hashed name stands in the secret's ID, at most: it
// ends where an escape does.
const keptLen = maxName - len(hashMark) - escape.HashLen

// names escapes what an ID may not contain. A slash becomes two hyphens.
var names = escape.Alphabet{Mark: '-', Upper: true, Slash: true, Plain: func(name string, i int) bool {
	return escape.Alphanumeric(name[i]) || name[i] == '_'
}}

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
	encoded := names.Escape(name)
	switch {
	case len(encoded) <= maxName:
		return encoded, "", nil
	case len(encoded) > longest:
		return "", "", fmt.Errorf("%w: the name is longer than %d", driver.ErrInvalid, longest)
	}
	return encoded[:whole(encoded, keptLen)] + hashMark + escape.Hash(encoded), encoded, nil
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
	case encoded[0] != names.Mark:
		return 1
	case len(encoded) > 1 && encoded[1] == names.Mark:
		return len("--")
	}
	return len("-XX")
}

// decodeName returns the logical name of a secret, given the name that may be
// kept beside it. It is false for a secret whose ID was not made by encodeName.
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

// filterFor returns a text that the IDs of all names with the given prefix
// contain: nothing that a hash may have replaced, and no hyphen at its start,
// where a filter would take it for something else.
func filterFor(prefix string) string {
	encoded := names.Escape(prefix)
	return strings.TrimLeft(encoded[:min(len(encoded), keptLen-len("-XX"))], string(names.Mark))
}
