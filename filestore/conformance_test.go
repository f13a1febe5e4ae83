package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/filestore"
)

// placed is a store that knows its path.
type placed struct {
	*filestore.Store
	path    string
	options []filestore.Option
}

func place(path string, options ...filestore.Option) (placed, error) {
	store, err := filestore.Open(path, options...)
	return placed{store, path, options}, err
}

// TestConformance runs every case but those about services that the store has not.
func TestConformance(t *testing.T) {
	conform(t, func(t testing.TB) tokenstore.Store {
		store, err := place(filepath.Join(quickFolder(t), "tokens.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func conform(t *testing.T, newStore func(testing.TB) tokenstore.Store, options ...conformance.Option) {
	t.Helper()
	options = append(options, conformance.WithReopen(reopen), conformance.WithForeign(plant),
		conformance.WithMissing("the store has no secret for each token", "damaged-*", "swapped", "pasted", "edited", "put-back", "expiry-by-hand", "stranger"),
		conformance.WithMissing("the store has no service that answers late", "unseen-*"),
		conformance.WithMissing("nothing ignores a removal: the file is replaced", "delete-ignored", "delete-all-ignored"))
	conformance.Store(t, newStore, options...)
}

// quickFolder returns a folder, in memory if there is such a place: the suite
// saves some ten thousand times, each time with a wait for the disk.
func quickFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tokenstore") //nolint:usetesting // That is elsewhere.
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func reopen(_ context.Context, store tokenstore.Store) (tokenstore.Store, error) {
	return place(store.(placed).path, store.(placed).options...)
}

// plant writes files of others beside the store's own.
func plant(_ context.Context, store tokenstore.Store) (check func(context.Context) error, err error) {
	path := store.(placed).path
	names := []string{"other.txt", "tokens.txt.bak", ".tokens.txt.swp", ".tokens.txt1", "tokens.txt~"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(name), 0o600); err != nil {
			return nil, err
		}
	}
	return func(context.Context) error {
		var changed error
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
			if err != nil || string(data) != name {
				changed = errors.Join(changed, fmt.Errorf("%s was changed: %w", name, err))
			}
		}
		return changed
	}, nil
}
