//go:build unix

package filestore

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"example.com/tokenstore"
)

// TestKinds: a fault of the system has its kind, says what to do, and shows no path.
func TestKinds(t *testing.T) {
	for number, kind := range map[syscall.Errno]error{
		syscall.EACCES: tokenstore.ErrDenied,
		syscall.EROFS:  tokenstore.ErrDenied,
		syscall.EBUSY:  tokenstore.ErrDenied,
		syscall.ENOENT: tokenstore.ErrInvalidArgument,
		syscall.ENOSPC: tokenstore.ErrQuota,
		syscall.EFBIG:  tokenstore.ErrTooLarge,
		syscall.EIO:    tokenstore.ErrUnavailable,
	} {
		err := failure("save token", "a-long-id", &os.PathError{Op: "rename", Path: "fake-path.txt", Err: number})
		if !errors.Is(err, kind) || !errors.Is(tokenstore.Kind(err), kind) || !errors.Is(err, number) {
			t.Errorf("%v: %v", number, err)
		}
		if strings.Contains(err.Error(), "a-long-id") || strings.Contains(err.Error(), "fake-path") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%v: %v, want what to do, and neither the ID nor the path", number, err)
		}
	}
	if err := failure("find token", "", context.Canceled); tokenstore.Kind(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a context's error: %v", err)
	}
}

// TestASignalDoesNotEndTheLock interrupts a lock three times.
func TestASignalDoesNotEndTheLock(t *testing.T) {
	calls := 0
	err := uninterrupted(func() error {
		if calls++; calls <= 3 {
			return &os.PathError{Op: "flock", Path: "tokens.txt.lock", Err: syscall.EINTR}
		}
		return nil
	})
	if err != nil || calls != 4 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if err := uninterrupted(func() error { return syscall.EIO }); !errors.Is(err, syscall.EIO) {
		t.Errorf("another fault: %v", err)
	}
}
