// Errors match their kind and cause, and quote no more than they should.

package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"example.com/tokenstore"
)

func TestErrorMatchesKindAndCause(t *testing.T) {
	err := fmt.Errorf("start: %w", &tokenstore.Error{Store: "awssm", Op: "save token", Name: tokenstore.Redact("k3v7"), Kind: tokenstore.ErrThrottled, Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, tokenstore.ErrThrottled) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("%v does not match its kind and cause only", err)
	}
	if want := `start: awssm: save token "k3…": throttled: unexpected EOF`; err.Error() != want {
		t.Errorf("text is %q, want %q", err, want)
	}
}

func TestErrorSaysItsKindOnce(t *testing.T) {
	err := &tokenstore.Error{Op: "find token", Kind: tokenstore.ErrDenied, Err: fmt.Errorf("%w: no permission", tokenstore.ErrDenied)}
	if want := "find token: denied: no permission"; err.Error() != want {
		t.Errorf("text is %q, want %q", err, want)
	}
}

func TestRetryable(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, tokenstore.ErrConflict: true, tokenstore.ErrThrottled: true, tokenstore.ErrUnavailable: true,
		tokenstore.ErrNotFound: false, tokenstore.ErrInvalidToken: false, tokenstore.ErrInvalidArgument: false, tokenstore.ErrTooLarge: false,
		tokenstore.ErrUnreadable: false, tokenstore.ErrDenied: false, tokenstore.ErrQuota: false, context.Canceled: false,
		fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, context.DeadlineExceeded): false,
	} {
		if got := tokenstore.Retryable(err); got != want {
			t.Errorf("Retryable(%v) = %v, want %v", err, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for name, want := range map[string]string{"": "", "a": "a", "ab": "ab", "abc": "ab…", "学院@zylker": "学院…", "\xff\xfe\xfd": "…"} {
		if got := tokenstore.Redact(name); got != want {
			t.Errorf("Redact(%q) = %q, want %q", name, got, want)
		}
	}
}
