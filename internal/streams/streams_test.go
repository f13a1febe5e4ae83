package streams_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/streams"
)

func TestEnd(t *testing.T) {
	cause := &fs.PathError{Op: "read", Path: "tokens", Err: fs.ErrInvalid}
	unreadable := fmt.Errorf("%w: it is damaged: %w", tokenstore.ErrUnreadable, cause)
	for _, err := range []error{
		unreadable,
		&tokenstore.Error{Store: "store", Op: "list tokens", Kind: tokenstore.ErrUnreadable, Err: unreadable},
	} {
		end := streams.End(err)
		var path *fs.PathError
		if tokenstore.Kind(end) != nil || tokenstore.Retryable(end) || !errors.As(end, &path) || path != cause {
			t.Errorf("%v becomes %v", err, end)
		}
	}
	whole := streams.End(&tokenstore.Error{Store: "store", Op: "list tokens", Kind: tokenstore.ErrUnreadable})
	if want := "store: list tokens: unreadable"; whole.Error() != want || errors.Is(whole, tokenstore.ErrUnreadable) {
		t.Errorf("%v, want %s", whole, want)
	}
	whole = streams.End(&tokenstore.Error{Store: "store", Op: "list tokens", Kind: tokenstore.ErrUnreadable, Err: cause})
	if want := "store: list tokens: unreadable: read tokens: invalid argument"; whole.Error() != want {
		t.Errorf("%v, want %s", whole, want)
	}
	for _, err := range []error{nil, &tokenstore.Error{Kind: tokenstore.ErrDenied}, fs.ErrInvalid} {
		if end := streams.End(err); end != err { //nolint:errorlint // It is returned as it is.
			t.Errorf("%v becomes %v", err, end)
		}
	}
}
