package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/filestore"
)

func openDir(_ context.Context, dir string) (tokenstore.Store, error) {
	return filestore.Open(filepath.Join(dir, "tokens.txt"))
}

func TestProcesses(t *testing.T) { conformance.Processes(t, 3, openDir) }

// TestKill kills a writer 200 times with TOKENSTORE_LONG set, else less often.
func TestKill(t *testing.T) { conformance.Kill(t, 200, openDir) }

// TestNeverTorn reads the file as anyone would, while it is written: it is
// always whole.
func TestNeverTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.txt")
	store, err := filestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var failed error
		for i := 0; i < 40 && failed == nil; i++ {
			_, failed = store.SaveToken(context.Background(), tokenstore.OAuthToken{UserName: "user", AccessToken: strings.Repeat("x", i*500+1)})
		}
		done <- failed
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := filestore.Read(t.Context(), bytes.NewReader(data)); err != nil || len(rows) != 1 || !bytes.HasSuffix(data, []byte("\n")) {
			t.Fatalf("a torn file of %d bytes: %v", len(data), err)
		}
	}
}
