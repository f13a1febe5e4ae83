package exampledriver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// open returns the driver over a directory, as each process has its own.
func open(t testing.TB, path string) driver.Secrets {
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &Dir{Root: root}
}

func TestAdapter(t *testing.T) {
	enginetest.Suite{
		New:    func(t testing.TB) driver.Secrets { return open(t, t.TempDir()) },
		Engine: engine,
		Service: enginetest.Service{
			// Another process has a handle of its own on the same directory.
			Handle: func(s driver.Secrets) (driver.Secrets, error) { return open(t, dir(s).Root.Name()), nil },
			// A person uses an editor.
			Edit: func(_ context.Context, s driver.Secrets, name string, data []byte) error {
				file := fileOf(name)
				made := dir(s).Root.MkdirAll(filepath.Dir(file), 0o700)
				return errors.Join(made, dir(s).Root.WriteFile(file, data, 0o600))
			},
		},
		Remove: func(_ context.Context, s driver.Secrets, name string) error {
			return dir(s).Root.Remove(fileOf(name))
		},
		// Somebody has removed the directory, which is still open here.
		NoContainer: func(context.Context, driver.Secrets) (driver.Secrets, error) {
			path := t.TempDir()
			return open(t, path), os.Remove(path)
		},
		DriverOptions: []conformance.DriverOption{
			conformance.DriverMissing("a directory keeps no versions", "restored*"),
		},
		StoreOptions: []conformance.Option{conformance.WithTokens(100)}, // it need not prove that it is fast
		// Each call of this service takes a while.
		CrashOptions:        enginetest.CrashOptions{Every: 48},
		ModelOptions:        enginetest.ModelOptions{Operations: 200},
		LinearizableOptions: conformance.LinearizableOptions{Operations: 400},
	}.Run(t)
}

// engine is the store of the adapter's users.
func engine(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
	return secretstore.New(limited{secrets}, append(options, secretstore.WithName("example"), secretstore.WithEntries())...)
}

// limited gives the directory a limit, without which the suite writes megabytes.
type limited struct{ driver.Secrets }

func (l limited) Unwrap() driver.Secrets { return l.Secrets }
func (limited) Limits() driver.Limits    { return driver.Limits{MaxSize: 128 << 10} }

// dir returns the directory under what the suites have put around it.
func dir(s driver.Secrets) *Dir {
	d, _ := driver.As[*Dir](s)
	return d
}

// TestFilesOfOthers has files in the directory that Put does not make.
func TestFilesOfOthers(t *testing.T) {
	s := open(t, t.TempDir())
	for _, file := range []string{"README.txt", "Upper.json", ".lock"} {
		if err := dir(s).Root.WriteFile(file, []byte("by hand"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range s.List(t.Context(), "") {
		t.Errorf("listed: %q, %v", name, err)
	}
	if _, err := fs.Stat(dir(s).Root.FS(), "README.txt"); err != nil {
		t.Error(err)
	}
}
