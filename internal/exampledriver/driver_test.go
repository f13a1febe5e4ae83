package exampledriver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// open returns the driver over a directory, as each process has its own.
func open(t testing.TB, path string) *Dir {
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &Dir{Root: root}
}

func TestDriver(t *testing.T) {
	conformance.Driver(t,
		func(t testing.TB) driver.Secrets { return open(t, t.TempDir()) },
		// Another process has a handle of its own on the same directory.
		conformance.DriverHandle(func(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
			return open(t, s.(*Dir).Root.Name()), nil
		}),
		// A person uses an editor.
		conformance.DriverPerson(
			func(_ context.Context, s driver.Secrets, name string, data []byte) error {
				dir := s.(*Dir)
				if err := dir.Root.MkdirAll(filepath.Dir(fileOf(name)), 0o700); err != nil {
					return err
				}
				return dir.Root.WriteFile(fileOf(name), data, 0o600)
			},
			func(_ context.Context, s driver.Secrets, name string) error {
				return s.(*Dir).Root.Remove(fileOf(name))
			},
		),
	)
}

func TestStore(t *testing.T) {
	conformance.Store(t,
		func(t testing.TB) tokenstore.Store { return newStore(t, open(t, t.TempDir())) },
		conformance.WithReopen(func(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) {
			return newStore(t, open(t, s.(*store).dir.Root.Name())), nil
		}),
		conformance.WithForeign(func(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
			return plant(ctx, s.(*store).dir)
		}),
		conformance.WithTokens(100), // a directory need not prove that it is fast
	)
}

// store remembers on which directory it lies.
type store struct {
	*secretstore.Store
	dir *Dir
}

func newStore(t testing.TB, dir *Dir) *store {
	s, err := secretstore.New(limited{dir}, secretstore.WithName("example"))
	if err != nil {
		t.Fatal(err)
	}
	return &store{s, dir}
}

// limited gives the directory a limit, without which the suite writes megabytes.
type limited struct{ *Dir }

func (limited) Limits() driver.Limits { return driver.Limits{MaxSize: 128 << 10} }

// plant writes secrets of others: beside the store's prefix, below it, and as
// a file that is no secret.
func plant(ctx context.Context, dir *Dir) (check func(context.Context) error, err error) {
	foreign := map[string]string{
		"other/tokens/a":      `{"refresh_token":"of another program"}`,
		"tokenstore/other":    `{"note":"below the prefix"}`,
		"tokenstore/tokens/x": `{"note":"where tokens are"}`,
	}
	for name, data := range foreign {
		if _, err := dir.Put(ctx, driver.Secret{Name: name, Data: []byte(data)}); err != nil {
			return nil, err
		}
	}
	if err := dir.Root.WriteFile("README.txt", []byte("by hand"), 0o600); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		for name, data := range foreign {
			got, err := dir.Get(ctx, name)
			if err != nil {
				return err
			}
			if string(got.Data) != data {
				return errors.New("the foreign secret " + name + " was changed")
			}
		}
		_, err := dir.Root.Stat("README.txt")
		return err
	}, nil
}
