package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

var (
	errNoID       = fmt.Errorf("%w: the ID is empty", tokenstore.ErrInvalidArgument)
	errClosed     = fmt.Errorf("%w: the store is closed", tokenstore.ErrInvalidArgument)
	errReadOnly   = fmt.Errorf("%w: the store is open for reading only", tokenstore.ErrDenied)
	errNoDatabase = fmt.Errorf("%w: a database and a dialect are needed", tokenstore.ErrInvalidArgument)
)

// failed wraps the error of an operation. When the context is done that is the
// reason, whatever the driver made of it.
func (s *Store) failed(ctx context.Context, op, id string, err error) error {
	if err == nil {
		return nil
	}
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) && tokenstore.Kind(err) == nil {
		err = fmt.Errorf("%w: %w", ctxErr, err)
	}
	return failure(op, id, s.dialect, err)
}

// failure makes a tokenstore.Error of err, whose kind it, or else the dialect,
// knows.
func failure(op, id string, d dialect, err error) error {
	if err == nil {
		return nil
	}
	if d != nil {
		err = d.explain(err)
	}
	e := &tokenstore.Error{Store: "sqlstore", Op: op, Name: tokenstore.Redact(id), Kind: tokenstore.Kind(err), Err: err}
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if e.Kind == nil && d != nil && !ended {
		e.Kind = d.kind(err)
	}
	//nolint:errorlint // Only the bare sentinel says nothing more than the kind.
	if err == e.Kind {
		e.Err = nil
	}
	return e
}
