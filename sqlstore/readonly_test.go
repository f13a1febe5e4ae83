package sqlstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

func TestReadOnlyWritesNothing(t *testing.T) {
	original, err := os.ReadFile("testdata/python-sdk-8.0-zohooauth.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "source.db")
	if err := os.WriteFile(path, original, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := tokenstore.Open(t.Context(), "sqlite:"+path+"?readonly=true")
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := store.GetTokens(t.Context())
	if err != nil || len(tokens) == 0 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{AccessToken: "a"}); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a save gave %v, want ErrDenied", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(original) {
		t.Errorf("the file was written: %v", err)
	}
}

func TestReadOnlyNeedsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	_, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.WithReadOnly())
	if !errors.Is(err, tokenstore.ErrInvalidArgument) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening gave %v, want ErrInvalidArgument and fs.ErrNotExist", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file was created")
	}
}

// A database without the table is told from one that may not be written, and a
// missing folder from a missing file, which a caller may take for an empty one.
func TestReadOnlySaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	empty, other := filepath.Join(dir, "empty.db"), filepath.Join(dir, "other.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, raw(t, other), "create table invoices (id integer)")
	for path, want := range map[string]struct {
		says   string
		absent bool
	}{
		empty:                              {"no table oauthtoken", true},
		other:                              {"no table oauthtoken", true},
		filepath.Join(dir, "none.db"):      {"no such file", true},
		filepath.Join(dir, "none", "x.db"): {"no such folder", false},
		dir:                                {"the path must name a regular file", false},
	} {
		_, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.WithReadOnly())
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || errors.Is(err, fs.ErrNotExist) != want.absent || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want.says)
		}
	}
}

// The option holds for a database that the caller opened, too.
func TestReadOnlyOverADatabase(t *testing.T) {
	db := raw(t, newPath(t))
	if _, err := sqlstore.New(t.Context(), db, sqlstore.SQLite(), sqlstore.WithReadOnly()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a table: %v", err)
	}
	run(t, db, sdkTable)
	s := over(t, db, sqlstore.WithReadOnly())
	if _, err := s.SaveToken(t.Context(), full("u", "1")); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a save gave %v, want ErrDenied", err)
	}
	if got := text(t, db, "select count(*) from sqlite_master where name like 'tokenstore%'"); got != "0" {
		t.Errorf("%s indices and tables were made", got)
	}
}
