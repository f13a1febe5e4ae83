//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"example.com/tokenstore"
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
		return fmt.Errorf("keep the file's owner: %w", err)
	}
	return nil
}

// syncFolder makes what happened in the folder of path last.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // It was only read.
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// systemKind returns the sentinel for an error of the system, or nil.
func systemKind(err error) error {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return nil
	}
	switch number {
	case syscall.EROFS, syscall.EBUSY, syscall.EXDEV: // The latter two: the file is a mount by itself.
		return tokenstore.ErrDenied
	case syscall.ENOSPC, syscall.EDQUOT:
		return tokenstore.ErrQuota
	case syscall.EFBIG:
		return tokenstore.ErrTooLarge
	case syscall.ENAMETOOLONG, syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR:
		return tokenstore.ErrInvalidArgument
	case syscall.EIO, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.ESTALE, syscall.ENOLCK, syscall.ETIMEDOUT:
		return tokenstore.ErrUnavailable
	}
	return nil
}
