//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// specials make what is no regular file, at a path.
var specials = map[string]func(t *testing.T, path string) error{
	"FIFO":          func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) },
	"folder":        func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
	"dangling link": func(_ *testing.T, path string) error { return os.Symlink(path+"-target", path) },
	"link to itself": func(_ *testing.T, path string) error {
		return os.Symlink(filepath.Base(path), path)
	},
	"link to a device": func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) },
	"link to a FIFO": func(_ *testing.T, path string) error {
		return errors.Join(unix.Mkfifo(path+"-fifo", 0o600), os.Symlink(path+"-fifo", path))
	},
	"link to a file": func(_ *testing.T, path string) error {
		return errors.Join(os.WriteFile(path+"-file", []byte("7\n"), 0o600), os.Symlink(path+"-file", path))
	},
	"socket": func(t *testing.T, path string) error {
		l, err := net.Listen("unix", path)
		if errors.Is(err, unix.EINVAL) {
			t.Skip("the path is too long for a socket")
		}
		if err == nil {
			t.Cleanup(func() { _ = l.Close() })
		}
		return err
	},
}

// soon runs do, and fails if it is still running after a while: it waits for ever.
func soon(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
	}
}

// TestSpecialFilesBesideAreRefused puts what is no regular file in the place of the lock
// and of the last ID: a save and a delete say so, and follow no link.
func TestSpecialFilesBesideAreRefused(t *testing.T) {
	for name, make := range specials {
		for _, suffix := range []string{".lock", ".last-id"} {
			t.Run(name+suffix, func(t *testing.T) {
				store, path := opened(t, "java.txt")
				if err := make(t, path+suffix); err != nil {
					t.Fatal(err)
				}
				before := folder(t, path)
				soon(t, func() {
					_, saved := store.SaveToken(t.Context(), fake)
					for _, err := range []error{saved, store.DeleteToken(t.Context(), "1")} {
						if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), suffix+" after the file's name") || strings.Contains(err.Error(), path) {
							t.Errorf("error %v, want that it is not a regular file", err)
						}
					}
					if _, err := store.GetTokens(t.Context()); err != nil {
						t.Errorf("reading: %v", err)
					}
				})
				if content(t, path) != string(sample(t, "java.txt")) {
					t.Error("the file was changed")
				}
				for _, n := range folder(t, path) {
					if suffix == ".lock" && strings.Contains(n, "-target") {
						t.Errorf("%s was made through a link; before: %v", n, before)
					}
				}
			})
		}
	}
}

// TestASpecialFileInPlaceOfTheTokensIsRefused puts it there after the store was opened.
func TestASpecialFileInPlaceOfTheTokensIsRefused(t *testing.T) {
	for _, name := range []string{"FIFO", "folder", "socket", "link to a device", "link to a FIFO"} {
		t.Run(name, func(t *testing.T) {
			store, path := opened(t, "java.txt")
			if err := errors.Join(os.Remove(path), specials[name](t, path)); err != nil {
				t.Fatal(err)
			}
			soon(t, func() {
				_, found := store.FindTokenByID(t.Context(), "1")
				_, listed := store.GetTokens(t.Context())
				_, saved := store.SaveToken(t.Context(), fake)
				_, opening := filestore.Open(path)
				for _, err := range []error{found, listed, saved, opening, store.DeleteTokens(t.Context())} {
					if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), "regular file") || strings.Contains(err.Error(), path) {
						t.Errorf("error %v, want that it is not a regular file", err)
					}
				}
			})
		})
	}
}

// TestALockThatIsTakenAwayIsTakenAgain removes the lock file while another has it.
func TestALockThatIsTakenAwayIsTakenAgain(t *testing.T) {
	store, path := opened(t, "java.txt")
	unlock, err := filestore.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unlock() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := store.SaveToken(ctx, fake); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another writer: %v", err)
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	save(t, store, fake)
}
