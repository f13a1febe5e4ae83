//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unprivileged"
)

// TestCheckNamesAFileThatOthersMayRead checks a file and a database, closed to others and
// then open to them.
func TestCheckNamesAFileThatOthersMayRead(t *testing.T) {
	dir := unprivileged.OpenFolder(t)
	for scheme, name := range map[string]string{"file:": "tokens.txt", "sqlite:": "tokens.db"} {
		path := filepath.Join(dir, name)
		store, err := tokenstore.Open(t.Context(), scheme+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", AccessToken: "fake"}); err != nil {
			t.Fatal(err)
		}
		_ = store.Close()
		if code, out, errs := try(t, "", "check", scheme+path); code != exitOK || strings.Contains(out, "other users") {
			t.Errorf("%s closed to others: exit code %d\n%s%s", name, code, out, errs)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, more := range [][]string{nil, {"--json"}} {
			code, out, errs := try(t, "", append([]string{"check", scheme + path}, more...)...)
			if code != exitIncomplete || !strings.Contains(out, "file: other users") || !strings.Contains(out, "chmod") {
				t.Errorf("%s open to others: exit code %d\n%s%s", name, code, out, errs)
			}
		}
	}
}
