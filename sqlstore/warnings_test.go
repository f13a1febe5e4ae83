package sqlstore_test

import (
	"errors"
	"reflect"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// TestAnExpiryThatCannotBeUnderstoodIsUnknown reads such rows, finds them by each key,
// and changes them: the expiry stays as a person typed it until a save brings one,
// or another access token.
func TestAnExpiryThatCannotBeUnderstoodIsUnknown(t *testing.T) {
	for _, expiry := range []string{"'tomorrow'", "'1763900000000 '", "'1.7e12'", "1763900000000.5", "x'3137'", "cast(x'ff' as text)", "'2025-11-23T12:00:00Z'", "'-5'"} {
		t.Run(expiry, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			db := raw(t, path)
			run(t, db, "insert into oauthtoken (id, user_name, refresh_token, access_token, expiry_time) values ('7', 'u', 'fake-r', 'fake-a', "+expiry+")")
			stored := text(t, db, "select quote(expiry_time) from oauthtoken")
			want := tokenstore.OAuthToken{ID: "7", UserName: "u", RefreshToken: "fake-r", AccessToken: "fake-a"}
			if rows := all(t, s); len(rows) != 1 || rows[0] != want {
				t.Fatalf("read %v, want %v", rows, want)
			}
			for _, k := range tokenstore.KeysOf(want) {
				if got := find(t, s, example(k)); got != want {
					t.Errorf("by %v: %v", k, got)
				}
			}
			warned := map[string][]string{"7": {"expiry_time: not a time in epoch milliseconds (13 digits) or seconds (10 digits)"}}
			if got, err := s.Warnings(t.Context()); err != nil || !reflect.DeepEqual(got, warned) {
				t.Errorf("warnings %v, %v, want %v", got, err, warned)
			}
			save(t, s, tokenstore.OAuthToken{UserName: "u", APIDomain: "https://www.zohoapis.eu"})
			if got := text(t, db, "select quote(expiry_time) from oauthtoken"); got != stored {
				t.Errorf("the expiry became %s, want %s", got, stored)
			}
			save(t, s, tokenstore.OAuthToken{UserName: "u", AccessToken: "fake-c"})
			if got := text(t, db, "select quote(expiry_time) from oauthtoken"); got != "NULL" {
				t.Errorf("beside a new access token the expiry is %s", got)
			}
			run(t, db, "update oauthtoken set expiry_time = "+expiry)
			save(t, s, tokenstore.OAuthToken{UserName: "u", AccessToken: "fake-b", Expiry: millis(1763900000000)})
			if got := text(t, db, "select expiry_time from oauthtoken"); got != "1763900000000" {
				t.Errorf("the expiry became %s", got)
			}
			if got, err := s.Warnings(t.Context()); err != nil || len(got) > 0 {
				t.Errorf("warnings %v, %v, want none", got, err)
			}
		})
	}
}

func TestWhiteSpaceAroundACredentialIsNamed(t *testing.T) {
	s := open(t, newPath(t))
	id := save(t, s, tokenstore.OAuthToken{UserName: " u ", ClientID: "c", ClientSecret: " fake-s", RefreshToken: "fake-r\n"}).ID
	save(t, s, full("u2", "2"))
	want := map[string][]string{id: {"client_secret: white space before or after the value", "refresh_token: white space before or after the value"}}
	if got, err := s.Warnings(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("warnings %v, %v, want %v", got, err, want)
	}
}

// TestExistsTellsAnEmptyStoreFromNone opens a database that has the table, and loses it.
func TestExistsTellsAnEmptyStoreFromNone(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	if exists, err := s.Exists(t.Context()); !exists || err != nil {
		t.Errorf("an empty store: %t, %v", exists, err)
	}
	run(t, raw(t, path), "drop table oauthtoken")
	if exists, err := s.Exists(t.Context()); exists || err != nil {
		t.Errorf("no table: %t, %v", exists, err)
	}
	_ = s.Close()
	if _, err := s.Exists(t.Context()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("closed: %v", err)
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.WithReadOnly()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("opened to look: %v", err)
	}
}
