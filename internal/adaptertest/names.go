// Tests of the escape between logical names and a service's names.

package adaptertest

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/tokenstore/driver"
)

// Names is an adapter's mapping of logical names to the names of its service.
type Names struct {
	// Encode returns the service's name and, if that is a hash, the value that the adapter
	// stores with it.
	Encode func(name string) (encoded, full string, err error)
	Decode func(encoded, full string) (name string, ok bool)
	// Valid reports whether the service accepts a name.
	Valid func(encoded string) bool
	// Filter returns the service's filter for a list of names with a prefix; Covers
	// reports whether that filter covers a name.
	Filter func(prefix string) string
	Covers func(filter, encoded string) bool
	// Segments are regular expressions of segments that are easily confused, or long.
	Segments []string
	// Readable are names with their encoded form. TooLong is a name that is refused.
	Readable map[string]string
	TooLong  string
	// Foreign are names of the service that the adapter never creates.
	Foreign []string
}

// Run tests the mapping.
func (n Names) Run(t *testing.T) {
	t.Run("readable", func(t *testing.T) {
		for name, want := range n.Readable {
			if got, _, err := n.Encode(name); err != nil || got != want {
				t.Errorf("%q becomes %q, %v; want %q", name, got, err, want)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, name := range []string{"", "/a", "a/", "a//b", "a/../b", ".", "a/.", n.TooLong} {
			if _, _, err := n.Encode(name); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("%.20q: %v", name, err)
			}
		}
	})
	t.Run("both ways", n.bothWays)
	t.Run("filter", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			name := n.any().Draw(t, "name")
			prefix := name[:rapid.IntRange(0, len(name)).Draw(t, "cut")]
			encoded, _, err := n.Encode(name)
			if err != nil {
				t.Fatal(err)
			}
			if f := n.Filter(prefix); !n.Covers(f, encoded) {
				t.Fatalf("the filter %q for %q misses %q", f, prefix, encoded)
			}
		})
	})
	t.Run("foreign", func(t *testing.T) {
		for _, encoded := range n.Foreign {
			if name, ok := n.Decode(encoded, ""); ok {
				t.Errorf("%q is decoded as %q", encoded, name)
			}
		}
	})
}

// any draws logical names, some of them long and some nearly equal.
func (n Names) any() *rapid.Generator[string] {
	segments := []*rapid.Generator[string]{rapid.StringN(1, 20, 60)}
	for _, s := range n.Segments {
		segments = append(segments, rapid.StringMatching(s))
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(segments...), 1, 4).Draw(t, "segments"), "/")
	}).Filter(func(s string) bool { return driver.CheckName(s) == nil && len(s) < 600 })
}

func (n Names) bothWays(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := n.any().Draw(t, "name")
		encoded, full, err := n.Encode(name)
		if err != nil {
			t.Fatal(err)
		}
		if !n.Valid(encoded) {
			t.Fatalf("the service does not accept %q", encoded)
		}
		if other, ok := seen[encoded]; ok && other != name {
			t.Fatalf("%q and %q share %q", name, other, encoded)
		}
		seen[encoded] = name
		if back, ok := n.Decode(encoded, full); !ok || back != name {
			t.Fatalf("%q comes back as %q, %v", name, back, ok)
		}
	})
}
