//go:build unix

package sqlstore_test

import (
	"errors"
	"os"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unprivileged"
	"example.com/tokenstore/sqlstore"
)

// Who may not read a file is told so, and not that it may work later.
func TestFileThatMayNotBeRead(t *testing.T) {
	unprivileged.Run(t)
	path := newPath(t)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, options := range [][]sqlstore.Option{nil, {sqlstore.WithReadOnly()}} {
		_, err := sqlstore.OpenSQLite(t.Context(), path, options...)
		if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) {
			t.Errorf("opening gave %v, want ErrDenied", err)
		}
	}
}
