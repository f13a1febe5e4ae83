package importer_test

import (
	"testing"
	"time"

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

var start = time.Unix(1763900000, 0).UTC()

// A refresh token that only a folded row has is moved with the row that it is
// folded into, and so is all else that is empty there.
func TestTheMovedRowTakesWhatItLacksFromThoseFoldedIntoIt(t *testing.T) {
	u := func(token tokenstore.OAuthToken) tokenstore.OAuthToken { token.UserName = "u"; return token }
	for name, c := range map[string]struct {
		rows []tokenstore.OAuthToken
		want tokenstore.OAuthToken
	}{
		"a refresh token and its client": {
			[]tokenstore.OAuthToken{
				with(u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1", Expiry: start, APIDomain: "d"})),
				u(tokenstore.OAuthToken{AccessToken: "a2", Expiry: start.Add(time.Hour)}),
			},
			with(u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a2", Expiry: start.Add(time.Hour), APIDomain: "d"})),
		},
		"a row without a user": {
			[]tokenstore.OAuthToken{
				with(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1", AccessToken: "a1", Expiry: start}),
				with(u(tokenstore.OAuthToken{GrantToken: "g1"})),
			},
			with(u(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1", AccessToken: "a1", Expiry: start})),
		},
		"the better row first": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "older", AccessToken: "a1", Expiry: start}),
				u(tokenstore.OAuthToken{RefreshToken: "newer", AccessToken: "a2", Expiry: start.Add(time.Minute)}),
				u(tokenstore.OAuthToken{AccessToken: "a3", Expiry: start.Add(time.Hour)}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "newer", AccessToken: "a3", Expiry: start.Add(time.Hour)}),
		},
		"no expiry of another access token": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", Expiry: start.Add(time.Hour)}),
				u(tokenstore.OAuthToken{AccessToken: "a1"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1"}),
		},
		"no expiry for another access token": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1"}),
				u(tokenstore.OAuthToken{GrantToken: "g1", AccessToken: "a2"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", GrantToken: "g1", AccessToken: "a1"}),
		},
		"no secret of another client": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", ClientID: "c1"}),
				u(tokenstore.OAuthToken{ClientID: "c2", ClientSecret: "s2", AccessToken: "a2"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", ClientID: "c1", AccessToken: "a2"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			destination := store(t)
			report := imported(t, destination, importer.Options{}, c.rows...)
			if report.Count(importer.Created) != 1 || report.Count(importer.Folded) != len(c.rows)-1 || len(report.Lost) > 0 {
				t.Errorf("outcomes %v, lost %v", outcomes(report), report.Lost)
			}
			tokens, err := destination.GetTokens(t.Context())
			if err != nil || len(tokens) != 1 {
				t.Fatalf("%d tokens, %v", len(tokens), err)
			}
			if c.want.ID = tokens[0].ID; tokens[0] != c.want {
				t.Errorf("stored otherwise than wanted: it has %v until %v", tokens[0].Credentials(), tokens[0].Expiry)
			}
			if again := imported(t, destination, importer.Options{}, c.rows...); again.Count(importer.Present) != 1 {
				t.Errorf("a second import: %v", outcomes(again))
			}
		})
	}
}

// What is not moved, because the other row has one of its own, is named.
func TestAFoldedRowSaysWhatOfItWasNotMoved(t *testing.T) {
	newer := with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", AccessToken: "a2", Expiry: start})
	older := with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", AccessToken: "a1"})
	for reason, row := range map[string]tokenstore.OAuthToken{
		"into row 2, which has another refresh token":            older,
		"into row 2, which has another refresh token and client": {UserName: "u", RefreshToken: "r1", ClientID: "other"},
		"into row 2, which has another client":                   {UserName: "u", RefreshToken: "r2", ClientSecret: "other"},
		"into row 2":                                             {UserName: "u", RefreshToken: "r2", GrantToken: "g1", AccessToken: "a1"},
	} {
		report := imported(t, store(t), importer.Options{}, row, newer)
		expect(t, report, importer.Folded, importer.Created)
		if got := report.Rows[0].Reason; got != reason {
			t.Errorf("%q, want %q", got, reason)
		}
	}
	// A grant token is a key: who starts again with it finds its token.
	newer.GrantToken, older.GrantToken = "g2", "g1"
	if got, want := imported(t, store(t), importer.Options{}, older, newer).Rows[0].Reason, "into row 2, which has another refresh token and grant token"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A row that no store takes spoils no other.
func TestARowThatIsNoTextIsRefusedAlone(t *testing.T) {
	rows := []tokenstore.OAuthToken{{UserName: "u", AccessToken: "a\xff", Expiry: start}, {UserName: "u", RefreshToken: "r1"}}
	expect(t, imported(t, store(t), importer.Options{}, rows...), importer.Refused, importer.Created)
}
