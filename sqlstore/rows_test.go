package sqlstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// fixture returns a copy of a file that the SDK for Python wrote.
func fixture(t *testing.T) string {
	t.Helper()
	from, err := os.Open(filepath.Join("testdata", "python-sdk-8.0-zohooauth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	path := filepath.Join(t.TempDir(), "zohooauth.db")
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFixtureOfTheSDK(t *testing.T) {
	path := fixture(t)
	s := open(t, path)
	want := []tokenstore.OAuthToken{
		{ID: "1", UserName: "amelia.burrows@zylker.com:60001234567", ClientID: "1000.CLIENTAAAAAAAAAAAAAAAAAAAAAAAA", ClientSecret: "cs-fake-0001",
			RefreshToken: "1000.fake-refresh-0001", AccessToken: "1000.fake-access-0001", GrantToken: "1000.fake-grant-0001",
			Expiry: millis(1763900000000), RedirectURL: "https://zylker.example/oauth/callback?x=1,2", APIDomain: "https://www.zohoapis.com"},
		{ID: "2", ClientID: "1000.CLIENTCCCCCCCCCCCCCCCCCCCCCCCC", ClientSecret: "cs-fake-0003", RefreshToken: "1000.fake-refresh-0003",
			AccessToken: "1000.fake-access-0003", Expiry: millis(1763907200000), APIDomain: "https://www.zohoapis.in"},
		{ID: "3", AccessToken: "1000.fake-access-only-0004"},
		{ID: "4", UserName: "学院@zylker.jp:7", ClientID: "1000.CLIENTDDDDDDDDDDDDDDDDDDDDDDDD", ClientSecret: "cs-fake-0005",
			RefreshToken: "1000.fake-refresh-0005", AccessToken: "1000.fake-access-0005", GrantToken: "1000.fake-grant-0005",
			Expiry: millis(1763910800000), APIDomain: "https://sandbox.zohoapis.jp"},
	}
	got := all(t, s)
	if len(got) != len(want) {
		t.Fatalf("%d tokens, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("token %d differs: %v", i+1, got[i])
		}
		for _, k := range tokenstore.KeysOf(want[i]) {
			if found := find(t, s, example(k)); found != want[i] {
				t.Errorf("by %v: %v, want %v", k, found, want[i])
			}
		}
	}
	if saved := save(t, s, full("new", "new")); saved.ID != "5" {
		t.Errorf("ID %q, want 5", saved.ID)
	}
}

// example returns a query by one key.
func example(k tokenstore.Key) tokenstore.OAuthToken {
	switch k.Kind {
	case "user":
		return tokenstore.OAuthToken{UserName: k.Value}
	case "access":
		return tokenstore.OAuthToken{AccessToken: k.Value}
	case "grant":
		return tokenstore.OAuthToken{GrantToken: k.Value, ClientID: "any", ClientSecret: "any"}
	}
	return tokenstore.OAuthToken{RefreshToken: k.Value, ClientID: "any", ClientSecret: "any"}
}

// One row that cannot be read does not hide the others, and is not overwritten.
func TestUnreadableRows(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := open(t, path)
	good := save(t, s, full("good", "good"))
	run(t, raw(t, path),
		"insert into oauthtoken (id, user_name, client_id) values ('70001', 'bad client', x'616263')",
		"insert into oauthtoken (id, user_name, access_token) values ('token-xyz', 'bad text', cast(x'ff' as text))",
		"insert into oauthtoken (id, user_name, access_token) values ('72', 'blob', x'616263')",
		"insert into oauthtoken (id, user_name, access_token) values ('', 'no ID', 'a4')")
	last := save(t, s, full("last", "last"))

	tokens, err := s.GetTokens(ctx)
	if !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Fatalf("%v, want ErrUnreadable", err)
	}
	if len(tokens) != 2 || tokens[0] != good || tokens[1] != last {
		t.Errorf("tokens %v, want the two that can be read", tokens)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 4 {
		t.Errorf("not an error for each row: %v", err)
	}
	for _, name := range []string{"row 2", "client_id", "row 3", `"to…"`, "UTF-8", "row 4", "the value of access_token is not text", "row 5", "has no ID"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not say %q: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "xyz") {
		t.Errorf("the error holds a value: %v", err)
	}
	if _, err := s.FindToken(ctx, tokenstore.OAuthToken{UserName: "bad client"}); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("find: %v, want ErrUnreadable", err)
	}
	if _, err := s.SaveToken(ctx, full("bad client", "new")); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("save: %v, want ErrUnreadable", err)
	}
	if got := text(t, raw(t, path), "select client_id from oauthtoken where id = '70001'"); got != "abc" {
		t.Errorf("the row was overwritten: %s", got)
	}
	if err := s.DeleteToken(ctx, "70001"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := s.DeleteTokens(ctx); err != nil || len(all(t, s)) != 0 {
		t.Errorf("delete all: %v", err)
	}
}

func TestEmptyIsNull(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	db := raw(t, path)
	save(t, s, tokenstore.OAuthToken{AccessToken: "a1"})
	run(t, db, "insert into oauthtoken values ('2', '', 'c', 's', 'r2', 'a2', '', '', '', '')")
	if got, want := find(t, s, tokenstore.OAuthToken{AccessToken: "a2"}), (tokenstore.OAuthToken{ID: "2", ClientID: "c", ClientSecret: "s", RefreshToken: "r2", AccessToken: "a2"}); got != want {
		t.Errorf("found %v, want %v", got, want)
	}
	if got := text(t, db, "select user_name from oauthtoken where id = '1'"); got != "NULL" {
		t.Errorf("user_name is %q, want NULL", got)
	}
	// A row with an empty user has none, and is adopted.
	if got := save(t, s, tokenstore.OAuthToken{UserName: "u", ClientID: "c", ClientSecret: "s", RefreshToken: "r2"}); got.ID != "2" {
		t.Errorf("saved as %q, want 2", got.ID)
	}
	if got := text(t, db, "select grant_token from oauthtoken where id = '2'"); got != "NULL" {
		t.Errorf("grant_token is %q, want NULL", got)
	}
}

// Rows that an SDK wrote in between are found at once, and its own columns stay.
func TestForeignColumnsStay(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, sdkTable, "alter table oauthtoken add column note text",
		"insert into oauthtoken (id, user_name, access_token, note) values ('1', 'u1', 'a1', 'mine')")
	s := open(t, path)
	save(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"})
	if got := text(t, db, "select note from oauthtoken"); got != "mine" {
		t.Errorf("note is %q, want mine", got)
	}
}

func TestAnUpdateThatChangesNothingWritesNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u", "1"))
	db := raw(t, path)
	run(t, db, "create table log (n)", "create trigger logged after update on oauthtoken begin insert into log values (1); end")
	save(t, s, full("u", "1"))
	if n := text(t, db, "select count(*) from log"); n != "0" {
		t.Errorf("%s updates, want none", n)
	}
}

func TestClosedStore(t *testing.T) {
	s, err := sqlstore.OpenSQLite(context.Background(), newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.GetTokens(context.Background()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("%v, want ErrInvalidArgument", err)
	}
}
