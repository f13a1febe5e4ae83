//go:build unix

package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unprivileged"
	"example.com/tokenstore/sqlstore"
)

// lookedAt names the folder of a test's databases to the test as another user.
const lookedAt = "TOKENSTORE_TEST_LOOKED_AT"

// journals makes, as root, a database in each journal mode that anybody may
// read, in a folder where anybody may make files.
func journals(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root has files for another user to look at")
	}
	dir, err := os.MkdirTemp("", "tokenstore") //nolint:usetesting // The other user may not enter t.TempDir.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, journal := range []string{"delete", "wal"} {
		path := filepath.Join(dir, journal+".db")
		db := raw(t, path)
		run(t, db, "pragma journal_mode = "+journal, sdkTable)
		_ = db.Close()
		s := open(t, path)
		save(t, s, full("u", "1"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv(lookedAt, dir)
}

// The files that SQLite puts beside a database in WAL mode would be the
// looker's, and its owner could not write them.
func TestWhoLooksLeavesNoFilesThatTheOwnerCannotWrite(t *testing.T) {
	if os.Getenv(lookedAt) == "" {
		journals(t)
	}
	unprivileged.Run(t)
	dir := os.Getenv(lookedAt)
	if dir == "" {
		t.Skip("only root has files for another user to look at")
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(filepath.Join(dir, "wal.db"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "wal.db"), link} {
		for _, options := range [][]sqlstore.Option{{sqlstore.WithReadOnly()}, nil} {
			_, err := sqlstore.OpenSQLite(t.Context(), path, options...)
			if !errors.Is(err, tokenstore.ErrDenied) || !strings.Contains(err.Error(), "a copy") {
				t.Errorf("opening gave %v, want ErrDenied and what to do", err)
			}
		}
	}
	if n := len(all(t, open(t, filepath.Join(dir, "delete.db"), sqlstore.WithReadOnly()))); n != 1 {
		t.Errorf("%d tokens in the other journal mode, want 1", n)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*-*")); err != nil || len(left) > 0 {
		t.Errorf("left beside the databases: %v, %v", left, err)
	}
}

// While its owner uses a database, the files are there and are the owner's.
func TestWhoLooksFindsBesideTheOwner(t *testing.T) {
	if os.Getenv(lookedAt) == "" {
		journals(t)
		path := filepath.Join(os.Getenv(lookedAt), "wal.db")
		save(t, open(t, path), full("u2", "2"))
	}
	unprivileged.Run(t)
	dir := os.Getenv(lookedAt)
	if dir == "" {
		t.Skip("only root has files for another user to look at")
	}
	if n := len(all(t, open(t, filepath.Join(dir, "wal.db"), sqlstore.WithReadOnly()))); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
}

// What looking leaves beside a database in WAL mode, its owner's next close
// removes.
func TestTheOwnersCloseRemovesWhatLookingLeft(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, "pragma journal_mode = wal", sdkTable)
	_ = db.Close()
	beside := func() int {
		left, err := filepath.Glob(path + "-*")
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	for _, c := range []struct {
		options []sqlstore.Option
		left    int
	}{{nil, 0}, {[]sqlstore.Option{sqlstore.WithReadOnly()}, 2}, {nil, 0}} {
		s, err := sqlstore.OpenSQLite(t.Context(), path, c.options...)
		if err != nil {
			t.Fatal(err)
		}
		all(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := beside(); n != c.left {
			t.Errorf("%d files are left, want %d", n, c.left)
		}
	}
}
