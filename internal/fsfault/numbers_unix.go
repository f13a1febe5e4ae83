//go:build unix

// Unix's error numbers, by what they mean for a store.

package fsfault

import (
	"syscall"

	"example.com/tokenstore"
)

// numbered returns advice about an error number, and the sentinel for it or nil.
func numbered(number syscall.Errno) (advice string, kind error) {
	switch number {
	case syscall.EROFS:
		return "make the file system writable, or keep the file elsewhere", tokenstore.ErrDenied
	case syscall.EBUSY, syscall.EXDEV:
		return "the file is mounted by itself; mount its folder instead", tokenstore.ErrDenied
	case syscall.ENOSPC, syscall.EDQUOT:
		return "make room, and retry", tokenstore.ErrQuota
	case syscall.EFBIG:
		return "raise the file size limit", tokenstore.ErrTooLarge
	case syscall.ENAMETOOLONG, syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR:
		return "check the path", tokenstore.ErrInvalidArgument
	case syscall.ENOSYS, syscall.ENOTSUP:
		return "keep the file on a file system that supports locks", tokenstore.ErrInvalidArgument
	case syscall.EMFILE, syscall.ENFILE:
		return "raise the limit on open files", tokenstore.ErrUnavailable
	case syscall.EIO, syscall.EAGAIN, syscall.EINTR, syscall.ESTALE, syscall.ENOLCK, syscall.ETIMEDOUT, syscall.ENOMEM:
		return "retry later", tokenstore.ErrUnavailable
	}
	return "", nil
}
