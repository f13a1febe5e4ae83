package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstoretest"
	"example.com/tokenstore/sqlstore"
)

func TestFindTokensIsManyFinds(t *testing.T) {
	rowstoretest.FindTokens(t, open(t, newPath(t)), 60)
}

func TestFindTokensNamesWhatCannotBeRead(t *testing.T) {
	s := open(t, newPath(t))
	good, bad := save(t, s, full("u1", "1")), save(t, s, full("u2", "2"))
	if _, err := s.DB().Exec("update oauthtoken set api_domain = x'ff' where id = ?", bad.ID); err != nil {
		t.Fatal(err)
	}
	queries := []tokenstore.OAuthToken{{UserName: "u2"}, {UserName: "u1"}, {ID: bad.ID}, {UserName: "u3"}}
	for range 2 {
		findsBad(t, s, good, queries)
		queries = append(queries, make([]tokenstore.OAuthToken, 100)...) // So many are found together.
	}
}

func findsBad(t *testing.T, s *sqlstore.Store, good tokenstore.OAuthToken, queries []tokenstore.OAuthToken) {
	t.Helper()
	found, err := s.FindTokens(t.Context(), queries)
	if !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("%v, want the two that cannot be read", err)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("%v, want two errors", err)
	}
	for i, token := range found {
		if (token == good) != (i == 1) || i != 1 && token != (tokenstore.OAuthToken{}) {
			t.Errorf("query %d found %v", i+1, token)
		}
	}
}

// watched counts the statements of connections.
type watched struct {
	driver.Connector
	prepared, closed atomic.Int64
}

func (c *watched) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &watchedConn{conn, c}, err
}

// watchedConn has no way to run a statement that is not prepared.
type watchedConn struct {
	driver.Conn
	of *watched
}

func (c *watchedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
}

func (c *watchedConn) Prepare(query string) (driver.Stmt, error) {
	s, err := c.Conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	c.of.prepared.Add(1)
	return &watchedStmt{s, c.of}, nil
}

type watchedStmt struct {
	driver.Stmt
	of *watched
}

func (s *watchedStmt) Close() error {
	s.of.closed.Add(1)
	return s.Stmt.Close()
}

func (c *watched) open() int64 { return c.prepared.Load() - c.closed.Load() }

func overWatched(t *testing.T) (*sqlstore.Store, *watched, *sql.DB) {
	t.Helper()
	plain, err := sqlite.NewConnector("file:" + newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &watched{Connector: plain}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // A statement that is prepared while its connection is in use would wait for ever.
	return over(t, db), c, db
}

func TestStatementsArePreparedOnceAndClosed(t *testing.T) {
	s, c, db := overWatched(t)
	use := func() {
		saved := save(t, s, full("u", "1"))
		if found, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"}); err != nil || found != saved {
			t.Fatal(found, err)
		}
		if found, err := s.FindToken(t.Context(), tokenstore.OAuthToken{ID: "x", UserName: "u"}); err != nil || found != saved {
			t.Fatal(found, err)
		}
		if found, err := s.FindTokens(t.Context(), []tokenstore.OAuthToken{{ID: "1"}, {RefreshToken: "none"}}); err != nil || found[0] != saved {
			t.Fatal(found, err)
		}
	}
	for range 3 {
		use()
	}
	before, most := c.prepared.Load(), c.open()
	for range 10 {
		if _, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.prepared.Load(); n != before {
		t.Errorf("%d statements were prepared for finds that were made before", n-before)
	}
	if most == 0 || most > 32 {
		t.Errorf("%d statements are kept", most)
	}
	// They are not kept by the connections that are lost, and are prepared by the next one.
	db.SetMaxIdleConns(-1)
	db.SetMaxIdleConns(1)
	if n := c.open(); n != 0 {
		t.Errorf("%d statements are left of a connection that is closed", n)
	}
	use()
	// The rows get other columns.
	for _, statement := range []string{"alter table oauthtoken rename column user_name to user_mail", "alter table oauthtoken add column more text"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			use()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := c.open(); n != 0 {
		t.Errorf("%d statements are left after the store was closed", n)
	}
	if err := db.Ping(); err != nil {
		t.Errorf("the caller's database: %v", err)
	}
}

// A store that is closed, or whose statements are dropped, while others use it gives no other
// error than that it is closed.
func TestStatementsThatAreClosedInUse(t *testing.T) {
	s := open(t, newPath(t))
	save(t, s, full("u", "1"))
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			for {
				if _, err := s.FindToken(context.Background(), tokenstore.OAuthToken{UserName: "u"}); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range 30 {
		sqlstore.DropStatements(s)
		save(t, s, full("u", fmt.Sprint(len(errs))))
	}
	if len(errs) > 0 {
		t.Fatal(<-errs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(errs) {
		if err := <-errs; !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
	}
}

// One ID is one place, whatever MySQL's driver makes of it: a prepared statement returns another
// type of a number than one that is not, and the rows of many finds may come from both.
func TestPlacesOfMySQLAreComparable(t *testing.T) {
	for _, id := range []any{"7", []byte("7"), int64(7), uint64(7)} {
		if place := sqlstore.MySQLPlace(id); place != "7" {
			t.Errorf("%T: %v", id, place)
		}
	}
	if place := sqlstore.MySQLPlace(nil); place != nil {
		t.Errorf("no ID is the place %q", place)
	}
}
