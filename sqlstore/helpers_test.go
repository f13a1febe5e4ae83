package sqlstore_test

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// millis is the time of so many epoch milliseconds.
func millis(n int64) time.Time { return time.UnixMilli(n).UTC() }

// full is a token with all its fields but the ID.
func full(user, tail string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "client-" + tail, ClientSecret: "secret-" + tail,
		RefreshToken: "refresh-" + tail, AccessToken: "access-" + tail, GrantToken: "grant-" + tail,
		RedirectURL: "https://zylker.example/" + tail, APIDomain: "https://www.zohoapis.eu", Expiry: millis(1763900000000),
	}
}

func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "tokens.db")
}

func open(t testing.TB, path string, options ...sqlstore.Option) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(context.Background(), path, options...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// raw opens a database without a store, as another program would.
func raw(t testing.TB, path string, params ...string) *sql.DB {
	t.Helper()
	source := "file:" + (&url.URL{Path: path}).EscapedPath()
	for i, p := range params {
		source += string("?&"[min(i, 1)]) + p
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// text returns the single value of a query, "NULL" if it is NULL.
func text(t testing.TB, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRow(query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if !s.Valid {
		return "NULL"
	}
	return s.String
}

func save(t testing.TB, s tokenstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := s.SaveToken(context.Background(), token)
	if err != nil {
		t.Fatalf("save %v: %v", token, err)
	}
	return saved
}

func find(t testing.TB, s tokenstore.Store, query tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	found, err := s.FindToken(context.Background(), query)
	if err != nil {
		t.Fatalf("find %v: %v", query, err)
	}
	return found
}

func all(t testing.TB, s tokenstore.Store) []tokenstore.OAuthToken {
	t.Helper()
	tokens, err := s.GetTokens(context.Background())
	if err != nil {
		t.Fatalf("get tokens: %v", err)
	}
	return tokens
}

// sdkTable is the table as the SDKs' sample store creates it.
const sdkTable = `create table oauthtoken (id varchar(10) NOT NULL, user_name varchar(255), client_id varchar(255),
	client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
	expiry_time varchar(20), redirect_url varchar(255), api_domain varchar(255), primary key (id))`
