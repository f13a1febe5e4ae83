package gcpsm

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

var allowed = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func TestNamesOfTheEngineStayReadable(t *testing.T) {
	for name, want := range map[string]string{
		"tokenstore/tokens/mfrggzdf_01": "tokenstore--tokens--mfrggzdf_01",
		"crm/index/root":                "crm--index--root",
		"crm-prod/x":                    "crm-2Dprod--x",
		"a@b/é":                         "a-40b---C3-A9",
	} {
		if got, err := SecretID(name); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "a/../b", ".", "a/.", strings.Repeat("x", 9000)} {
		if _, err := SecretID(name); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// anyName draws logical names, some of them long and some nearly alike.
func anyName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		segment := rapid.OneOf(rapid.StringMatching(`[a-ch\-]{1,9}`), rapid.StringN(1, 20, 60), rapid.StringMatching(`[a-z]{90,100}`))
		return strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/")
	}).Filter(func(s string) bool { return driver.CheckName(s) == nil && len(s) < 600 })
}

func TestNamesGoBothWays(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := anyName().Draw(t, "name")
		id, full, err := encodeName(name)
		if err != nil {
			t.Fatal(err)
		}
		if !allowed.MatchString(id) {
			t.Fatalf("the service does not take %q", id)
		}
		if other, ok := seen[id]; ok && other != name {
			t.Fatalf("%q and %q share %q", name, other, id)
		}
		seen[id] = name
		if back, ok := decodeName(id, full); !ok || back != name {
			t.Fatalf("%q comes back as %q, %v", name, back, ok)
		}
	})
}

func TestNoNameLooksLikeTheHashOfAnother(t *testing.T) {
	for n := range 12 {
		name := strings.Repeat("x", 190+n) + "/h" + strings.Repeat("/h", 100)
		id, full, err := encodeName(name)
		if err != nil || full == "" {
			t.Fatalf("%d: %v", n, err)
		}
		if other, ok := names.Unescape(id); ok {
			t.Errorf("the hashed ID of a name of %d characters is that of %q too", len(name), other)
		}
	}
}

func TestFilterCoversAllNamesWithThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := anyName().Draw(t, "name")
		prefix := name[:rapid.IntRange(0, len(name)).Draw(t, "cut")]
		id, _, err := encodeName(name)
		if err != nil {
			t.Fatal(err)
		}
		if f := filterFor(prefix); !strings.Contains(id, f) || strings.HasPrefix(f, "-") {
			t.Fatalf("the filter %q for %q misses %q", f, prefix, id)
		}
	})
}

func TestForeignNamesAreNotOurs(t *testing.T) {
	for _, id := range []string{"a-2d", "a-zz", "a-", "a-4", "a-41", "-", "a--", "--a", "a----b", "a-h" + strings.Repeat("a", escape.HashLen)} {
		if name, ok := decodeName(id, ""); ok {
			t.Errorf("%q is taken for %q", id, name)
		}
	}
}
