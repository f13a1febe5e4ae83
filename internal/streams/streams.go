// Package streams has what the sequences of tokens of all stores have in common: how an
// error that ends one is told from that of a single token.
package streams

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
)

// End returns the error of a store so that it may end a sequence of tokens. A caller takes
// one that matches ErrUnreadable for that of a token, after which others follow. So if the
// whole store cannot be read, because its file is damaged or its index is, End returns an
// error of no kind instead: it is none of a token, and does not go away by a retry. Its text
// and cause stay.
func End(err error) error {
	if !errors.Is(err, tokenstore.ErrUnreadable) {
		return err
	}
	end := &tokenstore.Error{Err: &whole{err}}
	if e, ok := err.(*tokenstore.Error); ok { //nolint:errorlint // Only the outermost error is replaced.
		end.Store, end.Op, end.Name = e.Store, e.Op, e.Name
		cause := cmp.Or(e.Err, e.Kind)
		if e.Kind != nil && !strings.Contains(cause.Error(), e.Kind.Error()) {
			cause = fmt.Errorf("%w: %w", e.Kind, cause)
		}
		end.Err = &whole{cause}
	}
	return end
}

// whole hides what an error matches with errors.Is, and not what errors.As finds.
type whole struct{ err error }

func (w *whole) Error() string { return w.err.Error() }

// As finds the cause.
func (w *whole) As(target any) bool { return errors.As(w.err, target) }
