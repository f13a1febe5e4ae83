//go:build unix

package sqlstore_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// TestSpecialFilesAreRefused puts what is no regular file in the place of a database, and
// of each file that SQLite keeps beside one: to open it neither waits for ever nor makes
// a file through a link. It does so before the store is opened, and while it is open.
func TestSpecialFilesAreRefused(t *testing.T) {
	specials := map[string]func(path string) error{
		"FIFO":             func(path string) error { return unix.Mkfifo(path, 0o600) },
		"folder":           func(path string) error { return os.Mkdir(path, 0o700) },
		"dangling link":    func(path string) error { return os.Symlink(path+"-target", path) },
		"link to a device": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for _, journal := range []string{"delete", "wal"} {
		for name, make := range specials {
			for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
				if suffix == "" && name == "dangling link" {
					continue // No file, which TestPathsThatCannotBeUsed has.
				}
				t.Run(journal+"/"+name+suffix, func(t *testing.T) {
					path := newPath(t)
					db := raw(t, path)
					run(t, db, "pragma journal_mode = "+journal, sdkTable)
					_ = db.Close()
					if suffix == "" {
						if err := os.Remove(path); err != nil {
							t.Fatal(err)
						}
					}
					if err := make(path + suffix); err != nil {
						t.Fatal(err)
					}
					done := beside(func() {
						for _, options := range [][]sqlstore.Option{nil, {sqlstore.WithReadOnly()}} {
							_, err := sqlstore.OpenSQLite(t.Context(), path, options...)
							if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), "regular file") || strings.Contains(err.Error(), path) {
								t.Errorf("opening gave %v, want that it is not a regular file", err)
							}
						}
					})
					select {
					case <-done:
					case <-time.After(30 * time.Second):
						t.Fatal("it hangs")
					}
					if _, err := os.Lstat(path + suffix + "-target"); err == nil {
						t.Error("a file was made through a link")
					}
				})
			}
		}
	}
}

// beside runs do beside the test, and closes the channel when it is over.
func beside(do func()) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return done
}

// TestASpecialFileIsRefusedByANewConnection puts a FIFO beside a database that is open
// without a connection.
func TestASpecialFileIsRefusedByANewConnection(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, sdkTable)
	store, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	sqlstore.DropConnections(store)
	if err := unix.Mkfifo(path+"-journal", 0o600); err != nil {
		t.Fatal(err)
	}
	done := beside(func() {
		if _, err := store.GetTokens(t.Context()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("reading gave %v, want that it is not a regular file", err)
		}
	})
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
	}
}
