package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// deadlocking is a database whose look-ups by ID fail once, as those of a transaction that
// MySQL has rolled back because of a deadlock; or whose transactions cannot begin any more.
type deadlocking struct {
	driver.Connector
	left   atomic.Int64 // how many look-ups succeed before that
	begins atomic.Int64 // how many transactions begin
}

func (c *deadlocking) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &deadlockingConn{conn, c}, err
}

// deadlockingConn has no way to run a statement that is not prepared.
type deadlockingConn struct {
	driver.Conn
	of *deadlocking
}

func (c *deadlockingConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if c.of.begins.Add(-1) < 0 {
		return nil, codeError(sqliteIOErr)
	}
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
}

func (c *deadlockingConn) Prepare(query string) (driver.Stmt, error) {
	s, err := c.Conn.Prepare(query)
	if err == nil && strings.HasPrefix(query, "SELECT") && strings.Contains(query, "`id` = ?") {
		s = &deadlockingStmt{s, c.of}
	}
	return s, err
}

type deadlockingStmt struct {
	driver.Stmt
	of *deadlocking
}

func (s *deadlockingStmt) Query(args []driver.Value) (driver.Rows, error) {
	if s.of.left.Add(-1) == -1 {
		return nil, codeError(sqliteBusy)
	}
	return s.Stmt.Query(args) //nolint:staticcheck // The other way is one that Stmt hides.
}

// codeError is an error with a result code of SQLite.
type codeError int

const (
	sqliteBusy  = 5
	sqliteIOErr = 10
)

func (e codeError) Error() string { return fmt.Sprint("code ", int(e)) }
func (e codeError) Code() int     { return int(e) }

func overDeadlocking(t *testing.T) (*sqlstore.Store, *deadlocking) {
	t.Helper()
	plain, err := sqlite.NewConnector("file:" + newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &deadlocking{Connector: plain}
	c.left.Store(math.MaxInt64)
	c.begins.Store(math.MaxInt64)
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return over(t, db), c
}

// After a deadlock nothing of a transaction has happened, so it is made again as a whole: no
// token counts as deleted because of what was undone.
func TestDeleteUnchangedIsMadeAgainAsAWhole(t *testing.T) {
	s, c := overDeadlocking(t)
	var tokens []tokenstore.OAuthToken
	for _, tail := range []string{"1", "2", "3"} {
		tokens = append(tokens, save(t, s, full("u"+tail, tail)))
	}
	for succeed := range int64(6) {
		c.left.Store(succeed)
		for i, err := range s.DeleteUnchanged(t.Context(), tokens) {
			if err != nil {
				t.Errorf("the fault after %d look-ups: token %d: %v", succeed, i+1, err)
			}
		}
		if c.left.Load() >= 0 {
			t.Fatal("no look-up has failed")
		}
		c.left.Store(math.MaxInt64)
		for i, token := range tokens {
			tokens[i] = save(t, s, token)
		}
	}
}

// A token that cannot be saved makes a second transaction tell which those are. If that fails
// because of the database, the database's fault is the error.
func TestSaveTokensReportsTheDatabase(t *testing.T) {
	s, c := overDeadlocking(t)
	tokens := []tokenstore.OAuthToken{full("u1", "1"), {UserName: "u2"}}
	if _, err := s.SaveTokens(t.Context(), tokens); !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("%v, want that of the second token", err)
	}
	c.begins.Store(1)
	if _, err := s.SaveTokens(t.Context(), tokens); !errors.Is(err, tokenstore.ErrUnavailable) || errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("%v, want that of the database", err)
	}
}
