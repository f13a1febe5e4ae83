//go:build unix

// What a diagnosis and a repair of a file promise beyond the suite of package conformance.

package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

func TestAFaultIsAFinding(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	store, err := filestore.Open(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := os.Symlink(link, link); err != nil {
		t.Fatal(err)
	}
	findings, err := store.Diagnose(t.Context(), tokenstore.RoleReader)
	if err != nil || len(findings) != 1 || findings[0].Code != "check-failed" || !errors.Is(findings[0].Err, tokenstore.ErrInvalidArgument) {
		t.Errorf("of a link to itself: %+v, %v", findings, err)
	}
}

func TestNothingIsMendedInAnEndedContext(t *testing.T) {
	store, path := opened(t, "java.txt")
	folder := filepath.Dir(filepath.Dir(path)) // Others cannot reach what is in it.
	if err := errors.Join(os.Chmod(folder, 0o755), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	findings := []tokenstore.Finding{{Code: tokenstore.CodeFileOpen, Where: path, Mends: true}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Mend(ended, findings); !errors.Is(err, context.Canceled) || modeOf(t, path) != 0o666 {
		t.Errorf("in an ended context: %v, mode %o", err, modeOf(t, path))
	}
	if err := store.Mend(t.Context(), findings); err != nil || modeOf(t, path) != 0o660 {
		t.Errorf("%v, mode %o", err, modeOf(t, path))
	}
}
