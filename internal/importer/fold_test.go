package importer_test

import (
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
)

func imported(t *testing.T, destination tokenstore.Store, options importer.Options, tokens ...tokenstore.OAuthToken) importer.Report {
	t.Helper()
	report, err := importer.Import(t.Context(), listed{tokens: tokens}, destination, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A row without a user that shares a key with each of two users makes no one
// token of theirs.
func TestTwoUsersAreNeverFolded(t *testing.T) {
	a := with(tokenstore.OAuthToken{ID: "1", UserName: "a", GrantToken: "g1", AccessToken: "a1"})
	b := with(tokenstore.OAuthToken{ID: "2", UserName: "b", RefreshToken: "r1", AccessToken: "a2"})
	between := with(tokenstore.OAuthToken{ID: "3", GrantToken: "g1", RefreshToken: "r1"})
	for _, rows := range [][]tokenstore.OAuthToken{{a, b, between}, {between, a, b}, {a, between, b}, {b, a, between}} {
		destination := store(t)
		report := imported(t, destination, importer.Options{}, rows...)
		if report.Count(importer.Created) != 2 || report.Count(importer.Folded) != 1 || len(report.Lost) > 0 {
			t.Errorf("outcomes %v, lost %v", outcomes(report), report.Lost)
		}
		for _, user := range []string{"a", "b"} {
			if _, err := destination.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user}); err != nil {
				t.Errorf("user %s of %v: %v", user, outcomes(report), err)
			}
		}
	}
}

// The token that a save would adopt is seen behind another user's that holds the
// same key, and is left alone.
func TestATokenThatWouldBeAdoptedIsLeftAlone(t *testing.T) {
	other := with(tokenstore.OAuthToken{UserName: "other", RefreshToken: "r1"})
	ownerless := with(tokenstore.OAuthToken{ID: "kept", RefreshToken: "r1", AccessToken: "newer"})
	destination := store(t, other)
	// A row without a user beside it can only come from another program.
	both := listed{Store: destination, tokens: []tokenstore.OAuthToken{other, ownerless}}
	report := imported(t, both, importer.Options{DryRun: true}, with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", AccessToken: "older"}))
	expect(t, report, importer.Differs)
	if report.Rows[0].ID != "kept" {
		t.Errorf("it differs from %q, want the token without a user", report.Rows[0].ID)
	}
}

// An access token tells which token a row without client values is, since a
// save of it goes by that.
func TestRowsThatASaveTakesForOneAreFolded(t *testing.T) {
	destination := store(t)
	rows := []tokenstore.OAuthToken{{ID: "1", RefreshToken: "r1", AccessToken: "a1"}, {ID: "2", RefreshToken: "r2", AccessToken: "a1"}}
	expect(t, imported(t, destination, importer.Options{}, rows...), importer.Created, importer.Folded)
	expect(t, imported(t, destination, importer.Options{}, rows[1]), importer.Differs)
	if token, err := destination.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: "a1"}); err != nil || token.RefreshToken != "r1" {
		t.Errorf("stored is %v, %v", token, err)
	}
}
