// The escape of IDs in names and in the index. It is part of the stored form.

package secretstore

import "example.com/tokenstore/internal/escape"

const (
	// maxNameLen limits the token's part of a secret's name, so that every service
	// accepts the whole name.
	maxNameLen = 128
	// hashedName is the prefix of the names of IDs that are too long. In every other name
	// a hexadecimal digit follows an underscore, so no other name has this prefix.
	hashedName = "__"
)

// SecretName returns the driver's name of the secret for the token with the given ID, for
// use with a driver; the token need not be stored. For the service's own name, see
// awssm.SecretName and gcpsm.SecretID.
func (s *Store) SecretName(id string) string { return s.tokens + escapeID(id) }

// alphanumeric reports whether an ID needs no escape, as most do.
func alphanumeric(id string) bool {
	for i := range len(id) {
		if !escape.Alphanumeric(id[i]) {
			return false
		}
	}
	return true
}

// ids is the escape of IDs in names of secrets and in the index.
var ids = escape.Alphabet{Mark: '_', Plain: func(id string, i int) bool { return escape.Alphanumeric(id[i]) }}

// escapeID returns an ID as used in names of secrets and in the index: ASCII letters and
// digits unchanged, any other byte as _ and two hexadecimal digits. A result that would be
// too long is replaced by a hash; the secret's data has the ID itself.
func escapeID(id string) string {
	if name := ids.Escape(id); len(name) <= maxNameLen {
		return name
	}
	return hashedName + escape.Hash(id)
}

// unescapeID reverses escapeID. It returns false for a hashed name, and for a name that
// escapeID does not produce.
func unescapeID(name string) (string, bool) {
	if len(name) <= maxNameLen && alphanumeric(name) {
		return name, true
	}
	id, ok := ids.Unescape(name)
	return id, ok && escapeID(id) == name
}
