package vault

import (
	"encoding/hex"
	"strings"
)

// escape returns the path of a logical name below the mount. Letters, digits,
// dots, hyphens, underscores and the slashes between segments stay; every other
// byte, and a dot after a dot, becomes "=" and two hexadecimal digits. What an
// engine makes of IDs and hashes stays as it is.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if plain(c) && (c != '.' || i == 0 || name[i-1] != '.') {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('=')
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '/' || c == '-' || c == '_' || c == '.'
}

// unescape returns the logical name of a path, and false if it is not one that
// escape returns: then somebody else has written it.
func unescape(path string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '=' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		raw, err := hex.DecodeString(path[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(raw)
		i += 2
	}
	name := b.String()
	return name, escape(name) == path
}
