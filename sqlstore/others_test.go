//go:build unix

package sqlstore_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore/internal/unprivileged"
	"example.com/tokenstore/sqlstore"
)

// TestADatabaseThatOthersMayReadIsNamed opens a database as the SDKs create it, in a
// folder that everybody may enter.
func TestADatabaseThatOthersMayReadIsNamed(t *testing.T) {
	dir := unprivileged.OpenFolder(t)
	path := filepath.Join(dir, "tokens.db")
	run(t, raw(t, path), sdkTable)
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1, 0o666: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := open(t, path, sqlstore.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		save(t, s, full("u", "1"))
		warnings, err := s.Warnings(t.Context())
		if err != nil || len(warnings[""]) != want {
			t.Errorf("mode %o has the warnings %v, %v, want %d", mode, warnings, err, want)
		}
		if got := strings.Count(log.String(), "other users"); got != want || strings.Contains(log.String(), "tokens.db") {
			t.Errorf("mode %o was logged %d times, want %d: %s", mode, got, want, &log)
		}
	}
	memory := open(t, ":memory:")
	if warnings, err := memory.Warnings(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("a database in memory has the warnings %v, %v", warnings, err)
	}
}
