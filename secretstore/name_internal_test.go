package secretstore

import (
	"strings"
	"testing"
)

func TestEscapedIDsAreSafeAndInjective(t *testing.T) {
	ids := []string{
		"1", "01", "k3v7", "K3V7", "a b", "a_b", "a_20b", "_", "__", "__a", "../..", "a/b", "学院", "\x00", "a-b", "a.b", "%2e",
		strings.Repeat("x", maxNameLen), strings.Repeat("x", maxNameLen+1), strings.Repeat("_", 43), strings.Repeat("y", 10_000),
	}
	seen := map[string]string{}
	for _, id := range ids {
		name := escapeID(id)
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q have the same name", id, other)
		}
		seen[name] = id
		if len(name) > maxNameLen || strings.ContainsFunc(name, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			t.Errorf("%q has the name %q", id, name)
		}
		back, ok := unescapeID(name)
		if hashed := strings.HasPrefix(name, hashedName); ok == hashed || !hashed && back != id {
			t.Errorf("%q comes back as %q, %v", id, back, ok)
		}
	}
	for _, name := range []string{"_", "_4", "a_zz", "_61", "a-b"} {
		if id, ok := unescapeID(name); ok {
			t.Errorf("%q was decoded as the name of %q", name, id)
		}
	}
}
