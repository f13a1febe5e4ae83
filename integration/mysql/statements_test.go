package mysql_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstoretest"
	"example.com/tokenstore/sqlstore"
)

// TestFindTokens makes many finds in one call, in our table and in those of the SDKs, with
// their character sets.
func TestFindTokens(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"ours": nil, "SDK": {sdkTable}, "latin1": {sdkTable + " default charset=latin1"}, "utf8mb4_bin": {sdkTable + " default charset=utf8mb4 collate utf8mb4_bin"},
		"ages unknown": {sdkTable, "insert into oauthtoken (id, user_name, access_token) values ('7', 'u1', 'a1'), ('12', 'u1', 'a1'), ('word', 'u1', 'a2')"},
	} {
		t.Run(name, func(t *testing.T) { rowstoretest.FindTokens(t, older(t, statements...).open(t), 40) })
	}
}

// TestChangedTable changes the table under the prepared statements of a store.
func TestChangedTable(t *testing.T) {
	t.Parallel()
	d := older(t, sdkTable+" default charset=latin1")
	s, db := d.open(t), d.raw(t)
	use := func() {
		t.Helper()
		for i := range 3 {
			saved, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: fmt.Sprint("a", time.Now().UnixNano(), i)})
			must(t, err)
			if found := find(t, s, tokenstore.OAuthToken{UserName: "u"}); found != saved {
				t.Errorf("found %v, want %v", found, saved)
			}
		}
	}
	use()
	for _, statement := range []string{
		"alter table oauthtoken add column more text first", "alter table oauthtoken modify user_name varchar(200) character set utf8mb4",
		"alter table oauthtoken change user_name user_mail varchar(200) character set latin1", "alter table oauthtoken convert to character set utf8mb4",
		"flush tables",
	} {
		run(t, db, statement)
		use()
	}
}

// TestManyStatements: a server that has as many prepared statements as it takes is
// throttling, and is used again when it takes more. Tests of other packages use the shared
// server at the same time, so it is one of the test's own.
func TestManyStatements(t *testing.T) {
	d := newServer(t).database()
	s, db := d.open(t, sqlstore.WithBusyTimeout(100*time.Millisecond)), d.raw(t)
	use := func() error {
		_, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: fmt.Sprint("a", time.Now().UnixNano())})
		return err
	}
	for range 3 {
		must(t, use())
	}
	most := text(t, db, "select @@global.max_prepared_stmt_count")
	defer run(t, db, "set global max_prepared_stmt_count = "+most)
	run(t, db, "set global max_prepared_stmt_count = 0")
	must(t, use()) // These are prepared already.
	if _, err := s.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: "none"}); !errors.Is(err, tokenstore.ErrThrottled) || !tokenstore.Retryable(err) {
		t.Errorf("a statement that is one too many: %v", err)
	}
	run(t, db, "set global max_prepared_stmt_count = "+most)
	for range 3 {
		must(t, use())
	}
}
