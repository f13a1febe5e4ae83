//go:build unix

package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/filestore"
)

// openInPlace opens a file that is written in place, and puts it there with its header
// if there is none.
func openInPlace(path string) (placed, error) {
	header, _, _ := bytes.Cut(filestore.HostileFile("", 0, true), []byte("\n"))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.Write(append(header, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return placed{}, err
	}
	return place(path, filestore.WithInPlace())
}

// TestConformanceInPlace runs the suite on files that are written in place.
func TestConformanceInPlace(t *testing.T) {
	conform(t, func(t testing.TB) tokenstore.Store {
		store, err := openInPlace(filepath.Join(quickFolder(t), "tokens.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, conformance.WithMissing("a file that is written in place has no notes", "swap-note*", "swap-fields", "swap-find", "swap-other-fields", "swap-undone",
		"swap-deleted", "swap-owner", "swap-old-changed", "handles-swap", "swap-key", "concurrent-swap*", "swap-lost-note"))
}

func TestProcessesInPlace(t *testing.T) {
	conformance.Processes(t, 3, func(_ context.Context, dir string) (tokenstore.Store, error) {
		return openInPlace(filepath.Join(dir, "tokens.txt"))
	})
}
