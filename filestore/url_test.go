package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	_ "example.com/tokenstore/filestore"
)

func TestURL(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for url, name := range map[string]string{
		"file:tokens.txt":                         "tokens.txt",
		"file:./a.txt":                            "a.txt",
		"file:my%20tokens%23.txt":                 "my tokens#.txt",
		"file:" + dir + "/b.txt":                  "b.txt",
		"file://" + dir + "/c.txt":                "c.txt",
		"file://localhost" + dir + "/d.txt":       "d.txt",
		"file:e.txt?quotes=true&readonly=false":   "e.txt",
		"file:" + dir + "/f%20g.txt?upgrade=true": "f g.txt",
	} {
		store, err := tokenstore.Open(t.Context(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		save(t, store, tokenstore.OAuthToken{UserName: "u", AccessToken: "1000.fake"})
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	store, err := tokenstore.Open(t.Context(), "file:tokens.txt?readonly=true")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteTokens(t.Context()); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("a store that is read only: %v", err)
	}
}

func TestURLRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("tokens.csv", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", "loop"); err != nil {
		t.Fatal(err)
	}
	for url, says := range map[string]string{
		"file:":                                "needs a path",
		"file:?readonly=true":                  "needs a path",
		"file://tokens.txt":                    "must not name a host",
		"file:tokens.txt#part":                 "%23",
		"file:tokens%zz.txt":                   "%25",
		"file:tokens.txt?mode=ro":              "known are in_place, quotes, readonly, upgrade",
		"file:tokens.txt?readonly=ro":          "readonly must be true or false",
		"file:tokens.txt?quotes=":              "quotes must be true or false",
		"file:tokens.txt?quotes=true&quotes=1": "given twice",
		"file:tokens.txt?in_place=yes":         "in_place must be true or false",
		"file:tokens.txt?in_place=true":        "create it",
		"file:tokens.txt?readonly=true":        "no such file",
		"file:none/tokens.txt":                 "no such folder",
		"file:none/tokens.txt?readonly=true":   "no such folder",
		"file:fakeword.txt?readonly=true":      "no such file",
		"file:fakeword/tokens.txt":             "no such folder",
		"file:tokens.csv/fakeword.txt":         "not a directory",
		"file:.":                               "regular file",
		"file:loop":                            "symbolic links",
		"file://user:fakeword@host/tokens.txt": "a user name or password",
	} {
		store, err := tokenstore.Open(t.Context(), url)
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "fakeword") {
			t.Errorf("%s: %v", url, err)
		}
		if store != nil {
			t.Errorf("%s: a store that is not nil", url)
		}
	}
}

// FuzzURL opens any path and parameters for reading only: nothing is created.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"tokens.txt", "/tmp/x?quotes=1", "//host/x", "%2e%2e/x", "x?readonly=false&y", "?", "#", "x%00y", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		t.Chdir(t.TempDir())
		store, err := tokenstore.Open(t.Context(), "file:"+s)
		if (store == nil) == (err == nil) {
			t.Fatalf("store %v, error %v", store, err)
		}
		if err != nil && tokenstore.Kind(err) == nil {
			t.Errorf("an error without a kind: %v", err)
		}
		if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
			t.Errorf("opening made files: %v, %v", entries, err)
		}
	})
}
