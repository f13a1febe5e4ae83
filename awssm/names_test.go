package awssm

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/tokenstore/driver"
)

var (
	allowed = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,256}$`)
	arnLike = regexp.MustCompile(`-.{6}$`)
)

func TestNamesOfTheEngineStayReadable(t *testing.T) {
	for _, name := range []string{"tokenstore/tokens/mfrggzdf_01", "tokenstore/index/root", "crm-prod/tokens/a@b"} {
		if got, _, err := encodeName(name); err != nil || got != name {
			t.Errorf("%q becomes %q, %v", name, got, err)
		}
	}
}

func TestAwkwardNames(t *testing.T) {
	for name, want := range map[string]string{
		"a/b c":       "a/b=20c",
		"a=b":         "a=3Db",
		"a/x-abcdef":  "a/x=2Dabcdef",
		"a/x-abcdefg": "a/x-abcdefg",
		"a/x-é":       "a/x=2D=C3=A9", // The escapes make six characters after the hyphen.
	} {
		if got, _, err := encodeName(name); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "a/../b", ".", "a/.", strings.Repeat("x", 3000)} {
		if _, _, err := encodeName(name); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// anyName draws logical names, some of them long and some nearly alike.
func anyName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		segment := rapid.OneOf(rapid.StringMatching(`[a-c=\-]{1,9}`), rapid.StringN(1, 20, 60), rapid.StringMatching(`[a-z]{100}`))
		return strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/")
	}).Filter(func(s string) bool { return driver.CheckName(s) == nil && len(s) < 600 })
}

func TestNamesGoBothWays(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := anyName().Draw(t, "name")
		encoded, full, err := encodeName(name)
		if err != nil {
			t.Fatal(err)
		}
		if !allowed.MatchString(encoded) || arnLike.MatchString(encoded) {
			t.Fatalf("the service does not take %q", encoded)
		}
		if other, ok := seen[encoded]; ok && other != name {
			t.Fatalf("%q and %q share %q", name, other, encoded)
		}
		seen[encoded] = name
		if back, ok := decodeName(encoded, nameLabel+full); !ok || back != name {
			t.Fatalf("%q comes back as %q, %v", name, back, ok)
		}
	})
}

func TestFilterCoversAllNamesWithThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := anyName().Draw(t, "name")
		prefix := name[:rapid.IntRange(0, len(name)).Draw(t, "cut")]
		encoded, _, err := encodeName(name)
		if err != nil {
			t.Fatal(err)
		}
		if f := filterFor(prefix); !strings.HasPrefix(encoded, f) {
			t.Fatalf("the filter %q for %q misses %q", f, prefix, encoded)
		}
	})
}

func TestForeignNamesAreNotOurs(t *testing.T) {
	for _, secret := range []string{"a=2d", "a=zz", "a=", "a=2Db", "a/", "a=41", "x-abcdef", strings.Repeat("a", 256)} {
		if name, ok := decodeName(secret, ""); ok && secret != strings.Repeat("a", 256) {
			t.Errorf("%q is taken for %q", secret, name)
		}
	}
}
