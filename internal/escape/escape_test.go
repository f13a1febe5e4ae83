// Escapes are reversible, and their results never change.

package escape_test

import (
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

func TestHashIsFrozen(t *testing.T) {
	const want = "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"
	if got := escape.Hash(""); got != want || len(got) != escape.HashLen {
		t.Errorf("the hash of nothing is %q, want %q", got, want)
	}
}
