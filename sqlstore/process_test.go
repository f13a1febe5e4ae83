package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/sqlstore"
)

// openDir opens a store in a new file, and openWAL in one that another program
// made, with a write-ahead log.
func openDir(ctx context.Context, dir string) (tokenstore.Store, error) {
	return sqlstore.OpenSQLite(ctx, filepath.Join(dir, "tokens.db"))
}

func openWAL(ctx context.Context, dir string) (tokenstore.Store, error) {
	s, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "tokens.db"))
	if err != nil {
		return nil, err
	}
	_, err = s.DB().ExecContext(ctx, "pragma journal_mode = wal")
	return s, err
}

func TestProcesses(t *testing.T) { conformance.Processes(t, 3, openDir) }

// The kill tests kill a writer 200 times with TOKENSTORE_LONG set, else less
// often.
func TestKill(t *testing.T)    { conformance.Kill(t, 200, openDir) }
func TestKillWAL(t *testing.T) { conformance.Kill(t, 200, openWAL) }
