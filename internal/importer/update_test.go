package importer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
)

// TestUpdate: what differs is overwritten where the source's access token lives longer,
// and what the destination lacks is filled in. Nothing is given up unsaid.
func TestUpdate(t *testing.T) {
	token := func(change func(*tokenstore.OAuthToken)) tokenstore.OAuthToken {
		token := with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r", AccessToken: "a", Expiry: start})
		change(&token)
		return token
	}
	later := func(t *tokenstore.OAuthToken) { t.AccessToken, t.Expiry = "later", start.Add(time.Hour) }
	for name, c := range map[string]struct {
		there, source tokenstore.OAuthToken
		want          importer.Outcome
		stored        func(*tokenstore.OAuthToken) // how it differs from the token there
	}{
		"the source is later": {token(func(*tokenstore.OAuthToken) {}), token(later), importer.Updated, later},
		"the store is later":  {token(later), token(func(*tokenstore.OAuthToken) {}), importer.Folded, func(*tokenstore.OAuthToken) {}},
		"the same":            {token(later), token(later), importer.Present, func(*tokenstore.OAuthToken) {}},
		"another domain, neither later": {token(func(t *tokenstore.OAuthToken) { t.APIDomain = "x" }), token(func(t *tokenstore.OAuthToken) { t.APIDomain = "y" }),
			importer.Undecided, func(*tokenstore.OAuthToken) {}},
		"another access token, no expiries": {token(func(t *tokenstore.OAuthToken) { t.Expiry = time.Time{} }),
			token(func(t *tokenstore.OAuthToken) { t.AccessToken, t.Expiry = "b", time.Time{} }), importer.Undecided, func(*tokenstore.OAuthToken) {}},
		"the store is later and lacks the refresh token": {token(func(t *tokenstore.OAuthToken) { later(t); t.RefreshToken = "" }),
			token(func(*tokenstore.OAuthToken) {}), importer.Updated, func(t *tokenstore.OAuthToken) { t.RefreshToken = "r" }},
		"the store lacks a domain": {token(func(*tokenstore.OAuthToken) {}), token(func(t *tokenstore.OAuthToken) { t.APIDomain = "x" }),
			importer.Updated, func(t *tokenstore.OAuthToken) { t.APIDomain = "x" }},
		"the store is later and has another refresh token": {token(func(t *tokenstore.OAuthToken) { later(t); t.RefreshToken = "r2" }),
			token(func(*tokenstore.OAuthToken) {}), importer.Undecided, func(*tokenstore.OAuthToken) {}},
		"the source is later and has another refresh token": {token(func(*tokenstore.OAuthToken) {}),
			token(func(t *tokenstore.OAuthToken) { later(t); t.RefreshToken = "r2" }), importer.Updated,
			func(t *tokenstore.OAuthToken) { later(t); t.RefreshToken = "r2" }},
		"the store's refresh token was rotated by hand": {token(func(t *tokenstore.OAuthToken) { t.RefreshToken, t.AccessToken, t.Expiry = "r2", "", time.Time{} }),
			token(later), importer.Undecided, func(*tokenstore.OAuthToken) {}},
		"the store's expiry is unknown": {token(func(t *tokenstore.OAuthToken) { t.AccessToken, t.Expiry = "b", time.Time{} }),
			token(later), importer.Undecided, func(*tokenstore.OAuthToken) {}},
		"the store has no access token": {token(func(t *tokenstore.OAuthToken) { t.AccessToken, t.Expiry = "", time.Time{} }),
			token(later), importer.Updated, later},
		"the source is later and of another client": {token(func(*tokenstore.OAuthToken) {}),
			token(func(t *tokenstore.OAuthToken) { later(t); t.ClientID = "c2" }), importer.Undecided, func(*tokenstore.OAuthToken) {}},
	} {
		t.Run(name, func(t *testing.T) {
			destination := store(t, c.there)
			report := sees(t, destination, importer.Options{Update: true}, []tokenstore.OAuthToken{c.source}, c.want)
			stored, err := destination.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"})
			if err != nil {
				t.Fatal(err)
			}
			want := c.there
			want.ID = stored.ID
			if c.stored(&want); stored != want {
				t.Errorf("stored %v until %v, want until %v", stored.Credentials(), stored.Expiry, want.Expiry)
			}
			if report.Complete() != (c.want != importer.Undecided) {
				t.Errorf("complete is %t", report.Complete())
			}
		})
	}
}

// TestOneClientsRows: --client moves the rows of one client, and those of none, and keeps
// the numbers that they have in the source.
func TestOneClientsRows(t *testing.T) {
	rows := []tokenstore.OAuthToken{
		{UserName: "u", RefreshToken: "r1", ClientID: "c1", ClientSecret: "s1"},
		{UserName: "u", RefreshToken: "r2", ClientID: "c2", ClientSecret: "s2"},
		{UserName: "v", RefreshToken: "r3"},
		{UserName: "u", RefreshToken: "r2", ClientID: "c2", ClientSecret: "s2", AccessToken: "a", Expiry: start},
	}
	destination := store(t)
	report := imported(t, destination, importer.Options{Client: "c2"}, rows...)
	expect(t, report, importer.Folded, importer.Created, importer.Created)
	if row := report.Rows[0]; row.Number != 2 || row.Reason != "into row 4" {
		t.Errorf("%+v", row)
	}
	if got := refreshOf(t, destination, "u"); got != "r2" {
		t.Errorf("refresh token %q", got)
	}
	if len(report.Remarks) != 1 || report.Remarks[0] != "1 row of other clients not imported" {
		t.Errorf("remarks %q", report.Remarks)
	}
	_, err := importer.Import(t.Context(), listed{tokens: rows}, destination, importer.Options{Client: "c"})
	if !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a client that no row has: %v", err)
	}
}

// TestOneRefreshTokenUnderTwoUsers is remarked on, and both are moved.
func TestOneRefreshTokenUnderTwoUsers(t *testing.T) {
	for users, says := range map[[2]string]string{
		{"a@z.example", "a@z.example:1"}: "the same mail with or without an organisation",
		{"a@z.example:1", "a@z.example"}: "the same mail with or without an organisation",
		{"a", "b"}:                       "whose user is another",
		{"a:1", "a:2"}:                   "whose user is another",
	} {
		report := imported(t, store(t), importer.Options{}, with(tokenstore.OAuthToken{UserName: users[0], RefreshToken: "r"}), with(tokenstore.OAuthToken{UserName: users[1], RefreshToken: "r"}))
		expect(t, report, importer.Created, importer.Created)
		if w := report.Rows[1].Warnings; len(w) != 1 || !strings.Contains(w[0], says) || !strings.Contains(w[0], "row 1") || len(report.Rows[0].Warnings) > 0 {
			t.Errorf("%v: %q", users, w)
		}
		if !report.Complete() {
			t.Error("a remark makes the import incomplete")
		}
	}
}

// TestAnExpiryOfTheSeventiesIsUnknown, whichever store it is from: a duration that was
// taken for a time.
func TestAnExpiryOfTheSeventiesIsUnknown(t *testing.T) {
	destination := store(t)
	report := imported(t, destination, importer.Options{}, with(tokenstore.OAuthToken{UserName: "u", RefreshToken: "r", AccessToken: "a", Expiry: time.UnixMilli(3600)}))
	expect(t, report, importer.Created)
	token, err := destination.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"})
	if err != nil || !token.Expiry.IsZero() || len(report.Rows[0].Warnings) != 1 {
		t.Errorf("until %v, %v: %q", token.Expiry, err, report.Rows[0].Warnings)
	}
}
