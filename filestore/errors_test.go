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

// TestKinds: each fault of the system has its kind, and stays reachable.
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
		err := failure("save token", "a-long-id", &os.PathError{Op: "rename", Path: "tokens.txt", Err: number})
		if !errors.Is(err, kind) || !errors.Is(tokenstore.Kind(err), kind) || !errors.Is(err, number) {
			t.Errorf("%v: %v", number, err)
		}
		if strings.Contains(err.Error(), "a-long-id") {
			t.Errorf("the ID is whole: %v", err)
		}
	}
	if err := failure("find token", "", context.Canceled); tokenstore.Kind(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a context's error: %v", err)
	}
}
