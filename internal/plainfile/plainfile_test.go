//go:build unix

package plainfile_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/tokenstore/internal/plainfile"
	"example.com/tokenstore/internal/unprivileged"
)

// TestOnlyRegularFilesAreOpened tries everything else that may have a name. What waits
// would wait for ever.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	err = errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Symlink(at("file"), at("link")), os.Symlink(at("none"), at("dangling")),
		os.Mkdir(at("folder"), 0o700), syscall.Mkfifo(at("fifo"), 0o600), os.Symlink(at("fifo"), at("link to a FIFO")))
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR} {
		for _, path := range []string{at("link"), at("dangling"), at("folder"), at("fifo"), at("link to a FIFO"), at("socket"), "/dev/null"} {
			if f, err := plainfile.Open(path, flag); !errors.Is(err, plainfile.ErrNotRegular) || f != nil {
				t.Errorf("%s: %v, want that it is refused", filepath.Base(path), err)
			}
		}
		if _, err := plainfile.Open(at("none"), flag); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no file: %v", err)
		}
		f, err := plainfile.Open(at("file"), flag)
		if err != nil {
			t.Errorf("a file: %v", err)
			continue
		}
		_ = f.Close()
	}
	if _, err := os.Lstat(at("none")); err == nil {
		t.Error("a file was made through a link")
	}
}

// TestTheFlagsAloneAreEnough opens without looking first, as if it came in between.
func TestTheFlagsAloneAreEnough(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Symlink(filepath.Join(dir, "none"), link)); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(link, os.O_RDWR|os.O_CREATE|plainfile.Flags, 0o600); err == nil {
		_ = f.Close()
		t.Error("a link was followed")
	}
	f, err := os.OpenFile(fifo, os.O_RDONLY|plainfile.Flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func TestOpenToOthers(t *testing.T) {
	dir := unprivileged.OpenFolder(t)
	path := filepath.Join(dir, "tokens.txt")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, file fs.FileMode
		want         bool
	}{{0o755, 0o644, true}, {0o711, 0o644, true}, {0o755, 0o602, true}, {0o755, 0o640, false}, {0o755, 0o600, false}, {0o755, 0o601, false}, {0o700, 0o644, false}, {0o750, 0o666, false}} {
		if err := errors.Join(os.Chmod(path, c.file), os.Chmod(dir, c.folder)); err != nil {
			t.Fatal(err)
		}
		if got := plainfile.OpenToOthers(path); got != c.want {
			t.Errorf("a file of mode %o in a folder of mode %o: %t", c.file, c.folder, got)
		}
	}
	if plainfile.OpenToOthers(filepath.Join(dir, "none")) {
		t.Error("a file that is not there is open to others")
	}
}
