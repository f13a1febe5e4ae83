//go:build unix

package fsfault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
)

// TestEachFaultHasItsKind classifies each error, with a path that must not show.
func TestEachFaultHasItsKind(t *testing.T) {
	for number, kind := range map[syscall.Errno]error{
		syscall.EACCES: tokenstore.ErrDenied,
		syscall.EPERM:  tokenstore.ErrDenied,
		syscall.EROFS:  tokenstore.ErrDenied,
		syscall.EBUSY:  tokenstore.ErrDenied,
		syscall.ENOENT: tokenstore.ErrInvalidArgument,
		syscall.ENOSPC: tokenstore.ErrQuota,
		syscall.EDQUOT: tokenstore.ErrQuota,
		syscall.EFBIG:  tokenstore.ErrTooLarge,
		syscall.EIO:    tokenstore.ErrUnavailable,
		syscall.EINTR:  tokenstore.ErrUnavailable,
	} {
		for _, cause := range []error{
			&os.PathError{Op: "open", Path: "fake-secret", Err: number},
			&os.LinkError{Op: "rename", Old: "fake-secret", New: "fake-secret", Err: number},
			fmt.Errorf("more of fake-secret: %w", number),
		} {
			err := fsfault.Of(cause)
			if !errors.Is(err, kind) || !errors.Is(tokenstore.Kind(err), kind) || !errors.Is(err, number) || errors.Is(err, syscall.ENOTTY) {
				t.Errorf("%v gave %v, want %v", number, err, kind)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				if text := fmt.Sprintf(verb, err); strings.Contains(text, "fake-secret") || !strings.Contains(text, ";") {
					t.Errorf("%s gives %s, want advice and no path", verb, text)
				}
			}
		}
	}
	for _, err := range []error{nil, context.Canceled, tokenstore.ErrConflict} {
		if got := fsfault.Of(err); !errors.Is(got, err) || !errors.Is(tokenstore.Kind(got), tokenstore.Kind(err)) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := fsfault.Of(errors.New("fake-secret")); strings.Contains(err.Error(), "fake-secret") || tokenstore.Kind(err) != nil {
		t.Errorf("an unknown error shows its message: %v", err)
	}
}
