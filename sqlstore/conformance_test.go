package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/sqlstore"
)

// placed is a store that knows its path.
type placed struct {
	*sqlstore.Store
	path string
}

// place opens a store that waits for the others as long as a slow disk may take.
func place(ctx context.Context, path string) (tokenstore.Store, error) {
	s, err := sqlstore.OpenSQLite(ctx, path, sqlstore.WithBusyTimeout(5*time.Minute))
	if err != nil {
		return nil, err
	}
	return placed{s, path}, nil
}

// reopen opens the store once more: its file, or its memory.
func reopen(ctx context.Context, s tokenstore.Store) (tokenstore.Store, error) {
	p, ok := s.(placed)
	if !ok {
		return nil, fmt.Errorf("a store of type %T", s)
	}
	if p.path != ":memory:" {
		return place(ctx, p.path)
	}
	again, err := sqlstore.New(ctx, p.DB(), sqlstore.SQLite())
	return placed{again, p.path}, err
}

// plant puts foreign data beside the store's own: another table of tokens,
// another program's table, and a column that is not ours.
func plant(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
	p, ok := s.(placed)
	if !ok {
		return nil, fmt.Errorf("a store of type %T", s)
	}
	db := p.DB()
	for _, statement := range []string{
		"create table other_tokens (id text primary key, access_token text, refresh_token text)",
		"insert into other_tokens values ('1', 'foreign access', 'foreign refresh')",
		"create table notes (note text)",
		"insert into notes values ('foreign')",
		"alter table oauthtoken add column note text default 'foreign'",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		var n int
		err := db.QueryRowContext(ctx, "select (select count(*) from other_tokens where access_token = 'foreign access' and refresh_token = 'foreign refresh') + "+
			"(select count(*) from notes where note = 'foreign') + (select count(*) from pragma_table_info('oauthtoken') where name = 'note')").Scan(&n)
		if err == nil && n != 3 {
			err = errors.New("foreign rows or columns were changed")
		}
		return err
	}, nil
}

// quickFolder returns a folder, in memory if there is such a place: the suite
// saves some ten thousand times, each time with a wait for the disk.
func quickFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tokenstore") //nolint:usetesting // t.TempDir takes no other place.
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// keep makes the table ignore every delete.
func keep(ctx context.Context, store tokenstore.Store) error {
	p, ok := store.(placed)
	if !ok {
		return fmt.Errorf("a store of type %T", store)
	}
	_, err := p.DB().ExecContext(ctx, "create trigger keep before delete on oauthtoken begin select raise(ignore); end")
	return err
}

// conform runs every case but those about services that the store has not.
func conform(t *testing.T, path func(testing.TB) string) {
	t.Helper()
	newStore := func(t testing.TB) tokenstore.Store {
		s, err := place(context.Background(), path(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	conformance.Store(t, newStore, conformance.WithReopen(reopen), conformance.WithForeign(plant), conformance.WithKeeping(keep),
		conformance.WithMissing("the store has no secret for each token", "damaged-*", "swapped", "pasted", "edited", "put-back", "expiry-by-hand", "stranger"),
		conformance.WithMissing("the store has no service that answers late", "unseen-*"))
}

func TestConformanceFile(t *testing.T) {
	t.Parallel()
	conform(t, func(t testing.TB) string { return filepath.Join(quickFolder(t), "tokens.db") })
}

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	conform(t, func(testing.TB) string { return ":memory:" })
}
