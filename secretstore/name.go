package secretstore

import "example.com/tokenstore/internal/escape"

const (
	// maxNameLen bounds a token's part of a secret's name, so that any service
	// takes the whole name.
	maxNameLen = 128
	// hashedName begins the names of IDs that are too long to stand in one. An
	// escape is always followed by a hexadecimal digit, so no other name begins so.
	hashedName = "__"
)

// SecretName returns the name by which the store's driver knows the secret of
// the token with the given ID, whether that is stored or not. The adapters turn
// it into the service's own; see awssm.SecretName and gcpsm.SecretID.
func (s *Store) SecretName(id string) string { return s.tokens + escapeID(id) }

// ids is how an ID stands in names of secrets and in the index.
var ids = escape.Alphabet{Mark: '_', Plain: func(id string, i int) bool { return escape.Alphanumeric(id[i]) }}

// escapeID returns the form of an ID that stands in names of secrets and in the
// index: ASCII letters and digits as they are, any other byte as _ and two
// hexadecimal digits. An ID that gets too long is hashed; its secret's data
// has the ID itself.
func escapeID(id string) string {
	if name := ids.Escape(id); len(name) <= maxNameLen {
		return name
	}
	return hashedName + escape.Hash(id)
}

// unescapeID is the reverse of escapeID. It reports false for a hashed name and
// for what escapeID does not make.
func unescapeID(name string) (string, bool) {
	id, ok := ids.Unescape(name)
	return id, ok && escapeID(id) == name
}
