package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"example.com/tokenstore"
)

// deadlocking is a database whose look-ups by ID fail once, as those of a transaction that
// MySQL has rolled back because of a deadlock.
type deadlocking struct {
	driver.Connector
	left atomic.Int64 // how many look-ups succeed before that
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
		return nil, busyError{}
	}
	return s.Stmt.Query(args) //nolint:staticcheck // The other way is one that Stmt hides.
}

type busyError struct{}

func (busyError) Error() string { return "busy" }
func (busyError) Code() int     { return 5 }

// After a deadlock nothing of a transaction has happened, so it is made again as a whole: no
// token counts as deleted because of what was undone.
func TestDeleteUnchangedIsMadeAgainAsAWhole(t *testing.T) {
	plain, err := sqlite.NewConnector("file:" + newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &deadlocking{Connector: plain}
	c.left.Store(1 << 40)
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	s := over(t, db)
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
		c.left.Store(1 << 40)
		for i, token := range tokens {
			tokens[i] = save(t, s, token)
		}
	}
}
