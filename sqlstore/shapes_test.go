package sqlstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// The forms of older SDKs.
const (
	secondForm = `create table oauthtoken (id varchar(255) not null, user_mail varchar(255) not null, client_id varchar(255),
		client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
		expiry_time varchar(20), redirect_url varchar(255), primary key (id))`
	firstForm = `create table oauthtoken (id integer not null primary key, user_mail varchar(255) not null,
		client_id varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255), expiry_time varchar(20))`
)

func older(t *testing.T, create string, inserts ...string) string {
	t.Helper()
	path := newPath(t)
	run(t, raw(t, path), append([]string{create}, inserts...)...)
	return path
}

func TestSecondFormIsReadAndWrittenAsItIs(t *testing.T) {
	path := older(t, secondForm, `insert into oauthtoken values ('python_x_eu_1f2e', 'u1', 'c1', 's1', 'r1', 'a1', 'g1', '1763900000000', 'd1')`)
	s := open(t, path)
	want := tokenstore.OAuthToken{ID: "python_x_eu_1f2e", UserName: "u1", ClientID: "c1", ClientSecret: "s1",
		RefreshToken: "r1", AccessToken: "a1", GrantToken: "g1", Expiry: millis(1763900000000), RedirectURL: "d1"}
	if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != want {
		t.Errorf("found %v, want %v", got, want)
	}
	before := text(t, raw(t, path), "select sql from sqlite_master where name = 'oauthtoken'")
	saved := save(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2", Expiry: millis(1763903600000)})
	if saved.ID != want.ID || saved.RefreshToken != "r1" {
		t.Errorf("saved %v", saved)
	}
	inserted := save(t, s, tokenstore.OAuthToken{UserName: "u2", AccessToken: "a3"})
	if got := text(t, raw(t, path), "select user_mail from oauthtoken where id = ?", inserted.ID); got != "u2" {
		t.Errorf("user_mail is %s, want u2", got)
	}
	if after := text(t, raw(t, path), "select sql from sqlite_master where name = 'oauthtoken'"); after != before {
		t.Errorf("the table was changed to %s", after)
	}
}

func TestValueWithoutColumnIsRefused(t *testing.T) {
	ctx := context.Background()
	path := older(t, secondForm, `insert into oauthtoken values ('1', 'u1', 'c1', 's1', 'r1', 'a1', 'g1', '1763900000000', 'd1')`)
	s := open(t, path)
	for name, token := range map[string]tokenstore.OAuthToken{
		"update": {UserName: "u1", AccessToken: "a2", APIDomain: "https://www.zohoapis.eu"},
		"insert": {UserName: "u2", AccessToken: "a2", APIDomain: "https://www.zohoapis.eu"},
		"user":   {AccessToken: "a3"}, // The column user_mail may not be NULL.
	} {
		_, err := s.SaveToken(ctx, token)
		if !errors.Is(err, tokenstore.ErrInvalidToken) {
			t.Errorf("%s: %v, want ErrInvalidToken", name, err)
		}
		if name != "user" && !strings.Contains(err.Error(), "api_domain") {
			t.Errorf("%s: the error does not name the column: %v", name, err)
		}
	}
	if got := all(t, s); len(got) != 1 || got[0].AccessToken != "a1" {
		t.Errorf("something was stored: %v", got)
	}
}

func TestFirstFormWithNumbersAsIDs(t *testing.T) {
	ctx := context.Background()
	path := older(t, firstForm, `insert into oauthtoken values (7, 'u1', 'c1', 'r1', 'a1', 'g1', '1763900000')`)
	s := open(t, path)
	got := find(t, s, tokenstore.OAuthToken{UserName: "u1"})
	if got.ID != "7" || !got.Expiry.Equal(millis(1763900000000)) {
		t.Errorf("found %v", got)
	}
	if id := save(t, s, tokenstore.OAuthToken{UserName: "u2", AccessToken: "a2"}).ID; id != "8" {
		t.Errorf("ID %q, want 8", id)
	}
	// 007 is not 7, and neither can be kept in a column of numbers.
	for _, id := range []string{"007", "7.0", "seven", "99999999999999999999"} {
		if _, err := s.FindTokenByID(ctx, id); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("find %q: %v, want ErrNotFound", id, err)
		}
		if err := s.DeleteToken(ctx, id); err != nil {
			t.Errorf("delete %q: %v", id, err)
		}
		if _, err := s.SaveToken(ctx, tokenstore.OAuthToken{ID: id, UserName: "u-" + id, AccessToken: "a-" + id}); !errors.Is(err, tokenstore.ErrInvalidToken) {
			t.Errorf("save %q: %v, want ErrInvalidToken", id, err)
		}
	}
	if n := len(all(t, s)); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
}

func TestKeysCompareByteForByteWhateverTheCollation(t *testing.T) {
	path := older(t, strings.ReplaceAll(sdkTable, "user_name varchar(255)", "user_name varchar(255) collate nocase"),
		`insert into oauthtoken (id, user_name, access_token) values ('1', 'u1', 'a1'), ('2', 'U1', 'a2')`)
	s := open(t, path)
	if got := find(t, s, tokenstore.OAuthToken{UserName: "U1"}); got.ID != "2" {
		t.Errorf("found %v, want 2", got)
	}
	if _, err := s.FindToken(context.Background(), tokenstore.OAuthToken{UserName: "uX"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func TestUpgrade(t *testing.T) {
	for name, form := range map[string]struct{ create, insert string }{
		"first":  {firstForm, `insert into oauthtoken values (9, 'u9', 'c1', 'r9', 'a9', 'g9', '1763900000'), (10, 'u10', 'c1', 'r10', 'a10', null, '')`},
		"second": {secondForm, `insert into oauthtoken values ('9', 'u9', 'c1', 's1', 'r9', 'a9', 'g9', '1763900000000', 'd9'), ('10', 'u10', 'c1', 's1', 'r10', 'a10', null, null, null)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := older(t, form.create, form.insert)
			reader := open(t, path) // It is open while another upgrades.
			before := all(t, reader)
			s := open(t, path, sqlstore.WithUpgrade())
			if after := all(t, s); len(after) != 2 || after[0] != before[0] || after[1] != before[1] {
				t.Errorf("the rows are %v, they were %v", after, before)
			}
			if got := find(t, reader, tokenstore.OAuthToken{UserName: "u10"}); got.ID != "10" {
				t.Errorf("the store that was open found %v", got)
			}
			if saved := save(t, s, full("u11", "11")); saved.ID != "11" {
				t.Errorf("saved %v", saved)
			}
			if got := save(t, reader, full("u12", "12")); got.APIDomain == "" {
				t.Errorf("saved %v", got)
			}
			// A reader by position, as the SDKs are.
			row := make([]any, 10)
			var cells [10]string
			for i := range row {
				row[i] = &cells[i]
			}
			if err := raw(t, path).QueryRow("select * from oauthtoken where id = '11'").Scan(row...); err != nil {
				t.Fatal(err)
			}
			if cells[1] != "u11" || cells[4] != "refresh-11" || cells[9] != "https://www.zohoapis.eu" {
				t.Errorf("read by position: %q", cells)
			}
			open(t, path, sqlstore.WithUpgrade()) // Nothing is left to do.
		})
	}
}

func TestUpgradeRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, statement := range map[string]string{
		"column":  "alter table oauthtoken add column note text",
		"index":   "create unique index mine on oauthtoken (user_mail)",
		"trigger": "create trigger mine after delete on oauthtoken begin select 1; end",
	} {
		t.Run(name, func(t *testing.T) {
			path := older(t, secondForm, statement, `insert into oauthtoken (id, user_mail, access_token) values ('1', 'u1', 'a1')`)
			_, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.WithUpgrade())
			if !errors.Is(err, tokenstore.ErrInvalidArgument) {
				t.Fatalf("%v, want ErrInvalidArgument", err)
			}
			if got := find(t, open(t, path), tokenstore.OAuthToken{UserName: "u1"}); got.ID != "1" {
				t.Errorf("found %v", got)
			}
		})
	}
}

func TestTableThatIsNone(t *testing.T) {
	for name, create := range map[string]string{
		"other columns": "create table oauthtoken (a, b)",
		"view":          "create view oauthtoken as select '1' as id, 'a' as access_token, 'r' as refresh_token",
		"no rowid":      "create table oauthtoken (id varchar(10) primary key, access_token, refresh_token) without rowid",
	} {
		t.Run(name, func(t *testing.T) {
			path := older(t, create)
			_, err := sqlstore.OpenSQLite(context.Background(), path)
			if tokenstore.Kind(err) == nil || tokenstore.Retryable(err) {
				t.Fatalf("opened: %v", err)
			}
			if n := text(t, raw(t, path), "select count(*) from sqlite_master where name like 'tokenstore%'"); n != "0" {
				t.Errorf("%s objects were made", n)
			}
		})
	}
}
