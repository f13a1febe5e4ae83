package tokenstore_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

func TestOpenMemory(t *testing.T) {
	store, err := tokenstore.Open(t.Context(), "memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	saved, err := store.SaveToken(t.Context(), full())
	if err != nil {
		t.Fatal(err)
	}
	if found, err := store.FindTokenByID(t.Context(), saved.ID); err != nil || found != full() {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for url, wantText := range map[string]string{
		"":                                "known schemes: ",
		"nosuch:fake-secret":              "memory",
		"memory:?password=fake-secret":    "it takes none",
		"memory:?%zz=fake-secret":         "malformed",
		"memory://user:fake-secret@host/": "holds no user name or password",
		"mem ory:fake-secret\x7f":         "not a URL",
		"memory:fake-secret":              "nothing behind it",
	} {
		_, err := tokenstore.Open(t.Context(), url)
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), wantText) {
			t.Errorf("Open(%q) gave %v, want ErrInvalidArgument with %q", url, err, wantText)
		} else if strings.Contains(err.Error(), "fake-secret") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
}

func TestURLOptionsRefuseAPepperFileThatHoldsNone(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, says := range map[string]string{
		"":                                   "", // As from a variable that is not set.
		filepath.Join(folder, "fake-secret"): "",
		folder:                               "",
		file("empty", ""):                    "1 to 4096 bytes",
		file("line", "\r\n"):                 "1 to 4096 bytes",
		file("large", strings.Repeat("x", 4097)+"\r\n"): "1 to 4096 bytes",
	} {
		_, err := tokenstore.URLOptions(&url.URL{Scheme: "x", RawQuery: url.Values{tokenstore.ParamPepperFile: {path}}.Encode()})
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), folder) {
			t.Errorf("%q: %v", filepath.Base(path), err)
		}
	}
	if options, err := tokenstore.URLOptions(&url.URL{}); err != nil || len(options) != 0 {
		t.Errorf("without the parameter: %d options, %v", len(options), err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, url := range []string{"memory:", "memory:?a=b", "nosuch://x", "memory://u:p@h/x?y#z", "%", ":", "memory:%zz"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		store, err := tokenstore.Open(t.Context(), url)
		if err == nil {
			store.Close()
			return
		}
		if !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("Open(%q) gave %v, want ErrInvalidArgument", url, err)
		}
	})
}
