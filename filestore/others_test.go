//go:build unix

package filestore_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/unprivileged"
)

// TestAFileThatOthersMayReadIsNamed opens a file as the SDKs create it, in a folder that
// everybody may enter.
func TestAFileThatOthersMayReadIsNamed(t *testing.T) {
	dir := unprivileged.OpenFolder(t)
	path := filepath.Join(dir, "tokens.txt")
	if err := os.WriteFile(path, sample(t, "java.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1, 0o666: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		store, err := filestore.Open(path, filestore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := store.GetTokens(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		save(t, store, fake)
		if got := strings.Count(log.String(), "other users"); got != want || strings.Contains(log.String(), "tokens.txt") || strings.Contains(log.String(), "1000.") {
			t.Errorf("mode %o was logged %d times, want %d: %s", mode, got, want, &log)
		}
		warnings, err := store.Warnings(t.Context())
		if err != nil || len(warnings[""]) != want {
			t.Errorf("mode %o has the warnings %v, %v, want %d", mode, warnings, err, want)
		}
		if got := modeOf(t, path); got != mode {
			t.Errorf("mode %o became %o", mode, got)
		}
	}
	quiet, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	save(t, quiet, fake) // Without a logger nothing is logged, and nothing fails.
}
