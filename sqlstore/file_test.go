package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func needModes(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no file modes")
	}
}

func TestNewFilesAreForTheirOwnerOnly(t *testing.T) {
	needModes(t)
	path := newPath(t)
	s := open(t, path)
	save(t, s, full("u", "1"))
	if got := mode(t, path); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	if got := text(t, raw(t, path), "pragma journal_mode"); got != "delete" {
		t.Errorf("journal mode %s", got)
	}
	// The files beside it, while a transaction is under way.
	db := raw(t, path)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("update oauthtoken set user_name = 'x'"); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, path+"-journal"); got != 0o600 {
		t.Errorf("mode of the journal %o, want 600", got)
	}
	_ = tx.Rollback()
	run(t, db, "pragma journal_mode = wal", "update oauthtoken set user_name = 'y'")
	for _, beside := range []string{"-wal", "-shm"} {
		if got := mode(t, path+beside); got != 0o600 {
			t.Errorf("mode of %s %o, want 600", beside, got)
		}
	}
	// Nothing else is left in the folder.
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left over: %v, %v", names, err)
	}
}

func TestFileThatExistsKeepsModeAndJournal(t *testing.T) {
	needModes(t)
	path := newPath(t)
	db := raw(t, path)
	run(t, db, sdkTable, "pragma journal_mode = wal")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	save(t, s, full("u", "1"))
	_ = s.Close()
	if got := mode(t, path); got != 0o640 {
		t.Errorf("mode %o, want 640", got)
	}
	if got := text(t, raw(t, path), "pragma journal_mode"); got != "wal" {
		t.Errorf("journal mode %s, want wal", got)
	}
	if got := text(t, raw(t, path), "select sql from sqlite_master where name = 'oauthtoken'"); !strings.HasSuffix(got, sdkTable[len("create table "):]) {
		t.Errorf("the table was changed to %s", got)
	}
}

// Hostile names of files mean that file and nothing else.
func TestPathsAreTakenAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a?mode=memory&x=1", "a#b", "a%41", "a b", "file:x", "ä'\"", "-", ":memory: "} {
		path := filepath.Join(dir, name)
		save(t, open(t, path), full("u", "1"))
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got := all(t, open(t, path)); len(got) != 1 {
			t.Errorf("%q: %d tokens", name, len(got))
		}
	}
	t.Chdir(dir)
	save(t, open(t, "relative?x.db"), full("u", "1"))
	if _, err := os.Stat(filepath.Join(dir, "relative?x.db")); err != nil {
		t.Error(err)
	}
}

func TestPathsThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	dangling, garbage := filepath.Join(dir, "dangling"), filepath.Join(dir, "garbage")
	if err := os.Symlink(filepath.Join(dir, "nothing"), dangling); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("this is no database "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		"":                                    tokenstore.ErrInvalidArgument,
		dangling:                              tokenstore.ErrInvalidArgument,
		filepath.Join(dir, "missing", "file"): tokenstore.ErrInvalidArgument,
		garbage:                               tokenstore.ErrUnreadable,
		dir:                                   tokenstore.ErrInvalidArgument,
	} {
		_, err := sqlstore.OpenSQLite(context.Background(), path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", filepath.Base(path), err, want)
		}
		if path != "" && err != nil && strings.Contains(err.Error(), path) {
			t.Errorf("the error quotes the path: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a file was made through the symbolic link")
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	path := newPath(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := sqlstore.OpenSQLite(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			if _, err := s.SaveToken(context.Background(), full("the same", "1")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(all(t, open(t, path))); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
}

// What is deleted or replaced cannot be dug out of the file.
func TestDeletedCredentialsAreWipedFromTheFile(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	token := full("u", "1")
	token.RefreshToken = "refresh-that-will-be-replaced"
	save(t, s, token)
	save(t, s, tokenstore.OAuthToken{UserName: "u", RefreshToken: "refresh-that-will-be-deleted"})
	contains := func(what string) bool {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(data, []byte(what))
	}
	if contains("refresh-that-will-be-replaced") || !contains("refresh-that-will-be-deleted") {
		t.Error("the replaced token is still in the file, or the new one is not")
	}
	if err := s.DeleteTokens(context.Background()); err != nil {
		t.Fatal(err)
	}
	if contains("refresh-that-will-be-deleted") || contains("secret-1") {
		t.Error("a deleted token is still in the file")
	}
}

// In WAL mode it is not dug out of the log either.
func TestDeletedCredentialsAreWipedFromTheLog(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, "pragma journal_mode = wal")
	_ = db.Close()
	s := open(t, path)
	contains := func(what string) bool {
		for _, name := range []string{path, path + "-wal"} {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(what)) {
				return true
			}
		}
		return false
	}
	one, other := save(t, s, full("u1", "one")), save(t, s, full("u2", "other"))
	if !contains(one.RefreshToken) || !contains(other.RefreshToken) {
		t.Fatal("the refresh tokens are in no file")
	}
	if err := s.DeleteToken(t.Context(), one.ID); err != nil || contains(one.RefreshToken) {
		t.Errorf("after DeleteToken it is there: %t, %v", contains(one.RefreshToken), err)
	}
	if err := s.DeleteTokens(t.Context()); err != nil || contains(other.RefreshToken) {
		t.Errorf("after DeleteTokens it is there: %t, %v", contains(other.RefreshToken), err)
	}
}

// Who reads at the same time puts off the end of the log, and not the delete.
func TestAReaderOfTheLogDoesNotFailADelete(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	run(t, db, "pragma journal_mode = wal")
	s := open(t, path, sqlstore.WithBusyTimeout(20*time.Millisecond))
	save(t, s, full("u", "1"))
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("select count(*) from oauthtoken").Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if err := s.DeleteTokens(t.Context()); err != nil {
		t.Errorf("beside a reader: %v", err)
	}
	_ = tx.Rollback()
	if n := len(all(t, s)); n != 0 {
		t.Errorf("%d tokens, want none", n)
	}
}

// A path in which only its form is that of a memory means a file.
func TestOnlyTheNameItselfIsAMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"./:memory:", "folder/../:memory:"} {
		if err := os.MkdirAll("folder", 0o700); err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		if err := s.DeleteTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		save(t, s, full("u", "1"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(all(t, open(t, path))); n != 1 {
			t.Errorf("%s: %d tokens after it was opened again, want 1", path, n)
		}
	}
}
