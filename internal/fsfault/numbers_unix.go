//go:build unix

package fsfault

import (
	"syscall"

	"example.com/tokenstore"
)

// numbered returns the sentinel for an error number, or nil, and what to do.
func numbered(number syscall.Errno) (kind error, advice string) {
	switch number {
	case syscall.EROFS:
		return tokenstore.ErrDenied, "make the file system writable, or keep the file elsewhere"
	case syscall.EBUSY, syscall.EXDEV:
		return tokenstore.ErrDenied, "the file is mounted by itself; mount its folder instead"
	case syscall.ENOSPC, syscall.EDQUOT:
		return tokenstore.ErrQuota, "make room, and retry"
	case syscall.EFBIG:
		return tokenstore.ErrTooLarge, "raise the limit for the size of a file"
	case syscall.ENAMETOOLONG, syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR:
		return tokenstore.ErrInvalidArgument, "check the path"
	case syscall.ENOSYS, syscall.ENOTSUP:
		return tokenstore.ErrInvalidArgument, "keep the file on a file system that supports locks"
	case syscall.EMFILE, syscall.ENFILE:
		return tokenstore.ErrUnavailable, "raise the limit of open files"
	case syscall.EIO, syscall.EAGAIN, syscall.EINTR, syscall.ESTALE, syscall.ENOLCK, syscall.ETIMEDOUT, syscall.ENOMEM:
		return tokenstore.ErrUnavailable, "retry later"
	}
	return nil, ""
}
