package sqlstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
