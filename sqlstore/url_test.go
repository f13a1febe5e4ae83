package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

func TestURLs(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	t.Chdir(dir)
	slashed := filepath.ToSlash(dir)
	for rawURL, file := range map[string]string{
		"sqlite:tokens.db":                                    "tokens.db",
		"sqlite:./sub.db?table=tokens":                        "sub.db",
		"sqlite:with%20blank%3f.db":                           "with blank?.db",
		"sqlite:" + slashed + "/absolute.db":                  "absolute.db",
		"sqlite://" + slashed + "/slashes.db?busy_timeout=1s": "slashes.db",
		"sqlite:up.db?upgrade=true":                           "up.db",
		"sqlite::memory:":                                     "",
	} {
		s, err := tokenstore.Open(ctx, rawURL)
		if err != nil {
			t.Errorf("%s: %v", rawURL, err)
			continue
		}
		save(t, s, full("u", "1"))
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", rawURL, err)
		}
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Errorf("%s: %v", rawURL, err)
		}
	}
	if got := text(t, raw(t, "sub.db"), "select user_name from tokens"); got != "u" {
		t.Errorf("the table tokens has the user %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, ":memory:")); err == nil {
		t.Error("a file :memory: was made")
	}
}

func TestURLsThatCannotBeUsed(t *testing.T) {
	t.Chdir(t.TempDir())
	for rawURL, says := range map[string]string{
		"sqlite:":                              "path",
		"sqlite:?table=x":                      "path",
		"sqlite://tokens.db":                   "host",
		"sqlite:a.db#b":                        "%23",
		"sqlite:a.db?tabel=x":                  "busy_timeout, upgrade",
		"sqlite:a.db?table=x&table=y":          "twice",
		"sqlite:a.db?table=no%20table":         "letters",
		"sqlite:a.db?busy_timeout=5":           "duration",
		"sqlite:a.db?busy_timeout=-5s":         "negative",
		"sqlite:a.db?upgrade=perhaps":          "true or false",
		"sqlite:a%zz.db":                       "",
		"sqlite:a%00.db":                       "path",
		"sqlite:a.db?password=refresh-hush":    "known",
		"sqlite:refresh-hush/b/c.db":           "folder",
		"sqlite:refresh-hush:x?table=ref:hush": "letters",
	} {
		s, err := tokenstore.Open(context.Background(), rawURL)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want ErrInvalidArgument with %q", rawURL, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
	if names, _ := filepath.Glob("*"); len(names) > 0 {
		t.Errorf("files were made: %v", names)
	}
}
