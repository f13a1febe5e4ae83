package vault

import (
	"net/url"
	"strings"
	"testing"
)

// TestEscape: different names have different paths, which decode to them; other
// people's paths are recognised.
func TestEscape(t *testing.T) {
	names := []string{"a", "A", "a.b", "a..b", "...", "a=b", "a=3db", "ü/ö", "a b", "a\x00", "\xff", "%", "a/b", ".a", "tokens/x_y-z"}
	seen := map[string]string{}
	for _, name := range names {
		path := paths.Escape(name)
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q share a path", name, other)
		}
		seen[path] = name
		if back, ok := nameOf(path); !ok || back != name {
			t.Errorf("%q comes back as %q", name, back)
		}
		if strings.Contains(path, "..") || url.PathEscape(strings.ReplaceAll(path, "/", "")) != strings.ReplaceAll(path, "/", "") && !strings.Contains(path, "=") {
			t.Errorf("%q has the path %q", name, path)
		}
	}
	for _, path := range []string{"A Note", "a=2", "a=", "a=2F", "a=61", "a..b", "ü"} {
		if name, ok := nameOf(path); ok {
			t.Errorf("%q passes for the path of %q", path, name)
		}
	}
}
