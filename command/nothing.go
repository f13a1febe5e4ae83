// A place where nothing of a store is, such as a wrong prefix or region, must not look
// like a store without tokens.

package command

import (
	"context"
	"errors"
	"io/fs"

	"example.com/tokenstore"
)

// nothingError says that nothing of a store is at a URL. The URL is quoted, as it was
// opened: its parameters are known ones, and it has no user or password.
type nothingError struct{ url string }

func (e *nothingError) Error() string {
	return "nothing of a store is at " + printable(e.url) +
		"; check the URL, and what the environment adds to it, such as an address, a region or a namespace"
}

// absentError is the error of a file or a table that is not there: nothing of a store is at that
// URL, either. What was opened knows best how to say it.
type absentError struct{ err error }

func (e *absentError) Error() string { return e.err.Error() }

// Is reports that it is fs.ErrNotExist, and not an invalid argument as the err is.
func (e *absentError) Is(target error) bool { return target == fs.ErrNotExist }

// ifNothing returns a nothingError if nothing of a store is where this one looks. A fault
// is left to the verb, which meets it too.
func ifNothing(ctx context.Context, store tokenstore.Store, url string) error {
	var nothing *nothingError
	if err := orNothing(ctx, store, url, nil); errors.As(err, &nothing) {
		return err
	}
	return nil
}

// orNothing returns a nothingError in the place of err, which may be nil, if nothing of
// a store is where this one looks. It is for a store in which nothing was found.
func orNothing(ctx context.Context, store tokenstore.Store, url string, err error) error {
	e, ok := tokenstore.As[tokenstore.Exister](store)
	if !ok {
		return err
	}
	switch exists, fault := e.Exists(ctx); {
	case fault != nil && err == nil:
		return fault
	case fault == nil && !exists:
		return &nothingError{url}
	}
	return err
}
