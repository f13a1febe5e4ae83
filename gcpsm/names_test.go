package gcpsm

import (
	"regexp"
	"strings"
	"testing"

	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/internal/escape"
)

var allowed = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func TestNames(t *testing.T) {
	adaptertest.Names{
		Encode: encodeName, Decode: decodeName, Filter: filterFor,
		Valid:  allowed.MatchString,
		Covers: func(filter, id string) bool { return strings.Contains(id, filter) && !strings.HasPrefix(filter, "-") },

		Segments: []string{`[a-ch\-]{1,9}`, `[a-z]{90,100}`},
		Readable: map[string]string{
			"tokenstore/tokens/mfrggzdf_01": "tokenstore--tokens--mfrggzdf_01",
			"crm/index/root":                "crm--index--root",
			"crm-prod/x":                    "crm-2Dprod--x",
			"a@b/é":                         "a-40b---C3-A9",
		},
		TooLong: strings.Repeat("x", 9000),
		Foreign: []string{"a-2d", "a-zz", "a-", "a-4", "a-41", "-", "a--", "--a", "a----b", "a-h" + strings.Repeat("a", escape.HashLen)},
	}.Run(t)
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
