package awssm

import (
	"regexp"
	"strings"
	"testing"

	"example.com/tokenstore/internal/adaptertest"
)

var (
	allowed = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,256}$`)
	arnLike = regexp.MustCompile(`-.{6}$`)
)

func TestNames(t *testing.T) {
	adaptertest.Names{
		Encode: encodeName,
		Decode: func(encoded, full string) (string, bool) { return decodeName(encoded, nameLabel+full) },
		Valid:  func(encoded string) bool { return allowed.MatchString(encoded) && !arnLike.MatchString(encoded) },
		Filter: filterFor,
		Covers: func(filter, encoded string) bool { return strings.HasPrefix(encoded, filter) },

		Segments: []string{`[a-c=\-]{1,9}`, `[a-z]{100}`},
		Readable: map[string]string{
			"tokenstore/tokens/mfrggzdf_01": "tokenstore/tokens/mfrggzdf_01",
			"tokenstore/index/root":         "tokenstore/index/root",
			"crm-prod/tokens/a@b":           "crm-prod/tokens/a@b",

			"a/b c":       "a/b=20c",
			"a=b":         "a=3Db",
			"a/x-abcdef":  "a/x=2Dabcdef",
			"a/x-abcdefg": "a/x-abcdefg",
			"a/x-é":       "a/x=2D=C3=A9", // The escapes make six characters after the hyphen.
		},
		TooLong: strings.Repeat("x", 3000),
		Foreign: []string{"a=2d", "a=zz", "a=", "a=2Db", "a/", "a=41", "x-abcdef"},
	}.Run(t)
}
