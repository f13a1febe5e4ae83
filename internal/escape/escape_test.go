// Escapes are reversible, and their results never change.

package escape_test

import (
	"encoding/base32"
	"testing"

	"example.com/tokenstore/internal/escape"
)

var alphabets = []escape.Alphabet{
	{Mark: '_', Plain: func(text string, i int) bool { return escape.Alphanumeric(text[i]) }},
	{Mark: '=', Upper: true, Plain: func(text string, i int) bool { return escape.Alphanumeric(text[i]) || text[i] == '/' }},
	{Mark: '-', Upper: true, Slash: true, Plain: func(text string, i int) bool { return escape.Alphanumeric(text[i]) }},
}

func FuzzEscape(f *testing.F) {
	for _, text := range []string{"", "abc", "a/b", "//", "a=b", "_", "--", "学院", "\x00\xff", "%2e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range alphabets {
			name := a.Escape(text)
			if again, ok := a.Unescape(name); !ok || again != text {
				t.Errorf("%q is escaped as %q, which is read as %q, %v", text, name, again, ok)
			}
		}
	})
}

func TestIncompleteEscapesAreRefused(t *testing.T) {
	for _, a := range alphabets {
		for _, rest := range []string{"", "2", "zz"} {
			if text, ok := a.Unescape("a" + string(a.Mark) + rest); ok {
				t.Errorf("%q behind the mark is read as %q", rest, text)
			}
		}
	}
}

// TestBase32 compares the encoding with that of the standard library.
func TestBase32(t *testing.T) {
	standard := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	data := make([]byte, 0, 70)
	for i := range cap(data) {
		if got, want := escape.Base32(data), standard.EncodeToString(data); got != want {
			t.Errorf("%x is %s, want %s", data, got, want)
		}
		data = append(data, byte(i*151+13))
	}
}

func TestHashIsFrozen(t *testing.T) {
	const want = "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"
	if got := escape.Hash(""); got != want || len(got) != escape.HashLen {
		t.Errorf("the hash of nothing is %q, want %q", got, want)
	}
}
