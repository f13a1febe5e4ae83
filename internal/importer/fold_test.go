package importer_test

import (
	"strings"
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
	expect(t, report, importer.Undecided)
	if report.Rows[0].ID != "kept" {
		t.Errorf("it differs from %q, want the token without a user", report.Rows[0].ID)
	}
}

// An access token tells which token a row without client values is, since a
// save of it goes by that.
func TestRowsThatASaveTakesForOneAreFolded(t *testing.T) {
	destination := store(t)
	rows := []tokenstore.OAuthToken{{ID: "1", RefreshToken: "r1", AccessToken: "a1"}, {ID: "2", RefreshToken: "r2", AccessToken: "a1"}}
	expect(t, imported(t, destination, importer.Options{}, rows...), importer.Created, importer.Undecided)
	expect(t, imported(t, destination, importer.Options{}, rows[1]), importer.Undecided)
	rows[1].RefreshToken = ""
	expect(t, imported(t, store(t), importer.Options{}, rows...), importer.Created, importer.Folded)
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
		left int // how many rows are left to decide
	}{
		"a refresh token and its client": {
			[]tokenstore.OAuthToken{
				with(u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1", Expiry: start, APIDomain: "d"})),
				u(tokenstore.OAuthToken{AccessToken: "a2", Expiry: start.Add(time.Hour)}),
			},
			with(u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a2", Expiry: start.Add(time.Hour), APIDomain: "d"})), 0,
		},
		"a row without a user": {
			[]tokenstore.OAuthToken{
				with(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1", AccessToken: "a1", Expiry: start}),
				with(u(tokenstore.OAuthToken{GrantToken: "g1"})),
			},
			with(u(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1", AccessToken: "a1", Expiry: start})), 0,
		},
		"the better row first": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "older", AccessToken: "a1", Expiry: start}),
				u(tokenstore.OAuthToken{RefreshToken: "newer", AccessToken: "a2", Expiry: start.Add(time.Minute)}),
				u(tokenstore.OAuthToken{AccessToken: "a3", Expiry: start.Add(time.Hour)}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "newer", AccessToken: "a3", Expiry: start.Add(time.Hour)}), 1,
		},
		"no expiry of another access token": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", Expiry: start.Add(time.Hour)}),
				u(tokenstore.OAuthToken{AccessToken: "a1"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1"}), 0,
		},
		"no expiry for another access token": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a1"}),
				u(tokenstore.OAuthToken{GrantToken: "g1", AccessToken: "a2"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", GrantToken: "g1", AccessToken: "a1"}), 0,
		},
		"nothing of another client": {
			[]tokenstore.OAuthToken{
				u(tokenstore.OAuthToken{RefreshToken: "r1", ClientID: "c1"}),
				u(tokenstore.OAuthToken{ClientID: "c2", ClientSecret: "s2", AccessToken: "a2"}),
			},
			u(tokenstore.OAuthToken{RefreshToken: "r1", ClientID: "c1"}), 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			destination := store(t)
			report := imported(t, destination, importer.Options{}, c.rows...)
			if report.Count(importer.Created) != 1 || report.Count(importer.Folded) != len(c.rows)-1-c.left || report.Count(importer.Undecided) != c.left || len(report.Lost) > 0 {
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

// A row is folded only if nothing is given up: the other row is of the same client, and
// has the same refresh token, or one of them has none. Else it is left to decide.
func TestNothingIsGivenUpByFolding(t *testing.T) {
	newer := with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", AccessToken: "a2", Expiry: start})
	for name, c := range map[string]struct {
		row  tokenstore.OAuthToken
		want importer.Outcome
		says string
	}{
		"another refresh token":     {with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", AccessToken: "a1"}), importer.Undecided, "row 2, but with another refresh token"},
		"another client":            {tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", ClientID: "other"}, importer.Undecided, "row 2, but with another client"},
		"another client, no token":  {tokenstore.OAuthToken{UserName: "u", AccessToken: "a1", ClientID: "other"}, importer.Undecided, "--client ID"},
		"another secret":            {tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", ClientID: "c", ClientSecret: "other"}, importer.Undecided, "another client"},
		"a secret alone":            {tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", ClientSecret: "other"}, importer.Undecided, "another client"},
		"an ownerless row":          {with(tokenstore.OAuthToken{RefreshToken: "r2", AccessToken: "a3"}), importer.Folded, "into row 2"},
		"a client without a secret": {tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", ClientID: "c"}, importer.Folded, "into row 2"},
		"no client":                 {tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2"}, importer.Folded, "into row 2"},
		"no refresh token":          {with(tokenstore.OAuthToken{UserName: "u", GrantToken: "g1", AccessToken: "a1"}), importer.Folded, "into row 2"},
	} {
		report := imported(t, store(t), importer.Options{}, c.row, newer)
		if expect(t, report, c.want, importer.Created); !strings.Contains(report.Rows[0].Reason, c.says) {
			t.Errorf("%s: %q, want %q", name, report.Rows[0].Reason, c.says)
		}
		if report.Complete() != (c.want == importer.Folded) {
			t.Errorf("%s: complete is %t", name, report.Complete())
		}
	}
	// A row that is all in the other one gives up nothing, whatever it names of its client.
	expect(t, imported(t, store(t), importer.Options{}, tokenstore.OAuthToken{UserName: "u", RefreshToken: "r2", ClientSecret: "s"}, newer), importer.Present, importer.Created)
	// An ownerless row that has a key of a user's row, and another refresh token.
	newer.GrantToken = "g1"
	report := imported(t, store(t), importer.Options{}, with(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1"}), newer)
	expect(t, report, importer.Undecided, importer.Created)
	// A grant token is a key: who starts again with it finds its token.
	report = imported(t, store(t), importer.Options{}, with(tokenstore.OAuthToken{UserName: "u", GrantToken: "g0", RefreshToken: "r2"}), newer)
	expect(t, report, importer.Folded, importer.Created)
	if got, want := report.Rows[0].Reason, "into row 2, which has another grant token"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A row that was folded into one that is not moved is not moved either, and says so.
func TestAFoldedRowSharesTheFateOfTheOther(t *testing.T) {
	rows := []tokenstore.OAuthToken{
		with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1", AccessToken: "a1", Expiry: start}),
		with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r1"}),
	}
	destination := &failing{Store: store(t), err: &tokenstore.Error{Op: "save token", Kind: tokenstore.ErrTooLarge}}
	report := imported(t, destination, importer.Options{}, rows...)
	expect(t, report, importer.Refused, importer.Refused)
	there := store(t, with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "another"}))
	report = imported(t, there, importer.Options{}, rows...)
	expect(t, report, importer.Undecided, importer.Undecided)
	if got, want := report.Rows[1].Reason, "as row 1, which is the same token"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A row that no store takes spoils no other.
func TestARowThatIsNoTextIsRefusedAlone(t *testing.T) {
	rows := []tokenstore.OAuthToken{{UserName: "u", AccessToken: "a\xff", Expiry: start}, {UserName: "u", RefreshToken: "r1"}}
	expect(t, imported(t, store(t), importer.Options{}, rows...), importer.Refused, importer.Created)
}
