//go:build unix

// What only Unix has: owners, and folders that can be synced.

package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"example.com/tokenstore/internal/fsfault"
)

// keepOwner gives the file f the owner and the group of another.
func keepOwner(f *os.File, of os.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want, ok := of.Sys().(*syscall.Stat_t)
	have, same := info.Sys().(*syscall.Stat_t)
	if !ok || !same || (want.Uid == have.Uid && want.Gid == have.Gid) {
		return nil
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("give the new file to the owner of the old one: %w", fsfault.Of(err))
	}
	return nil
}

// openFolder opens the folder of path, so that it can be synced.
func openFolder(path string) (*os.File, error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open the folder for reading, so that the change survives a power failure: %w", fsfault.Of(err))
	}
	return folder, nil
}

// syncFolder makes what happened in the folder survive a power failure, where the
// file system can, and closes the folder.
func syncFolder(folder *os.File) error {
	defer func() { _ = folder.Close() }() // It was only read.
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// lockFlag is how a file to lock is opened. Where locks are those of fcntl, only what
// can be written can be locked.
var lockFlag = map[string]int{"aix": os.O_RDWR, "solaris": os.O_RDWR, "illumos": os.O_RDWR}[runtime.GOOS] | os.O_RDONLY

// canWriteInPlace reports whether a file can be locked itself. Locks of fcntl, which
// these systems have alone, end when any descriptor of the file is closed.
func canWriteInPlace() bool { return runtime.GOOS != "aix" && runtime.GOOS != "solaris" }
