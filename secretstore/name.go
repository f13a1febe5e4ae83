package secretstore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"example.com/tokenstore/index"
)

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

// escapeID returns the form of an ID that stands in names of secrets and in the
// index: ASCII letters and digits as they are, any other byte as _ and two
// hexadecimal digits. An ID that gets too long is hashed; its secret's data
// has the ID itself.
func escapeID(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('_')
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	if b.Len() <= maxNameLen {
		return b.String()
	}
	sum := sha256.Sum256([]byte(id))
	return hashedName + index.Base32(sum[:])
}

// unescapeID is the reverse of escapeID. It reports false for a hashed name and
// for what escapeID does not make.
func unescapeID(name string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	id := b.String()
	return id, escapeID(id) == name
}
