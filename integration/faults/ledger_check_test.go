package faults

import (
	"testing"

	"example.com/tokenstore"
)

// TestLedger gives the judge wrong stores, all of which it must report.
func TestLedger(t *testing.T) {
	told := []string{
		"try own-0-0-0 1", "ok own-0-0-0 1", "try own-0-0-0 2",
		"try own-0-0-1 6", "ok own-0-0-1 6", "try own-0-0-1 7", "ok own-0-0-1 7",
		"try same-1 1", "try same-1 1", "ok same-1 1", "try free-same-1 1", "ok free-same-1 1",
		"try field-2 3", "ok field-2 3", "try field-2 4",
	}
	shared := sharedToken()
	shared.AccessToken = sharedValue(2, 4)
	good := []tokenstore.OAuthToken{versionOf("own-0-0-0", 2), sameUser("same-1"), sameOwnerless("free-same-1"), shared}
	torn := versionOf("own-0-0-0", 2)
	torn.AccessToken = versionOf("own-0-0-0", 1).AccessToken
	old := shared
	old.AccessToken = sharedValue(2, 2)
	replace := func(i int, token ...tokenstore.OAuthToken) []tokenstore.OAuthToken {
		return append(append(append([]tokenstore.OAuthToken{}, good[:i]...), token...), good[i+1:]...)
	}
	for _, c := range []struct {
		name  string
		rows  []tokenstore.OAuthToken
		wrong int
	}{
		{"the last call has happened", good, 0},
		{"the last call has not happened", replace(0, versionOf("own-0-0-0", 1)), 0},
		{"lost", replace(0), 1},
		{"torn", replace(0, torn), 1},
		{"a version that nobody saved", replace(0, versionOf("own-0-0-0", 3)), 1},
		{"back after its deletion", append(good[:4:4], versionOf("own-0-0-1", 6)), 1},
		{"twice", append(good[:4:4], sameUser("same-1")), 2},
		{"without a user twice", append(good[:4:4], sameOwnerless("free-same-1")), 2},
		{"a stranger", append(good[:4:4], versionOf("own-9-9-9", 1)), 1},
		{"a lost field", replace(3, old), 1},
		{"no shared token", replace(3), 1},
	} {
		l := newLedger()
		for _, line := range told {
			l.take("0", line)
		}
		if got := l.judge(c.rows); len(got) != c.wrong || len(l.findings) > 0 {
			t.Errorf("%s: %d findings instead of %d: %v", c.name, len(got), c.wrong, got)
		}
	}
}
