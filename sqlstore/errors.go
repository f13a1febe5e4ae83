// How faults become errors of package tokenstore. What a database says may hold a
// value of a row (a trigger's message, a failed conversion), so that its words are
// never passed on: a code and our own words are.

package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

var (
	errNoID       = fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument)
	errClosed     = fmt.Errorf("%w: the store is closed; open it again", tokenstore.ErrInvalidArgument)
	errReadOnly   = fmt.Errorf("%w: the store is open for reading only; open it without readonly to change it", tokenstore.ErrDenied)
	errNotRegular = fmt.Errorf("%w: the path must name a regular file", tokenstore.ErrInvalidArgument)
	errNoDatabase = fmt.Errorf("%w: New needs a database and a dialect, such as SQLite()", tokenstore.ErrInvalidArgument)
	errKept       = fmt.Errorf("%w: the table still has the row after the delete; remove the trigger that keeps it", tokenstore.ErrDenied)
)

// databaseError is an error of the database in our own words. The driver's error
// is reachable with errors.As, and is not part of the text.
type databaseError struct {
	words string
	cause error
}

func (e *databaseError) Error() string { return e.words }

// GoString keeps %#v from printing the cause.
func (e *databaseError) GoString() string { return fmt.Sprintf("%q", e.words) }

func (e *databaseError) Unwrap() error { return e.cause }

// plainErrors are errors of package database/sql whose texts are fixed.
var plainErrors = []error{
	sql.ErrNoRows, sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn, context.Canceled, context.DeadlineExceeded,
}

// told returns an error of the database in our own words. It leaves alone what is
// in our words already.
func told(d dialect, err error) error {
	var ours *databaseError
	if err == nil || errors.As(err, &ours) || tokenstore.Kind(err) != nil {
		return err
	}
	for _, plain := range plainErrors {
		if errors.Is(err, plain) {
			return &databaseError{plain.Error(), err}
		}
	}
	if d != nil {
		if words := d.words(err); words != "" {
			return &databaseError{words, err}
		}
	}
	if err.Error() == "sql: database is closed" { // It has no name.
		return &databaseError{"the database is closed; open it again", err}
	}
	return &databaseError{fmt.Sprintf("the database reports a fault (%T, whose text is not shown, as it may hold a value)", err), err}
}

// unknownOutcome is the error of a commit whose answer was lost.
type unknownOutcome struct{ cause error }

func (e *unknownOutcome) Error() string {
	return "the change may or may not have happened; look, or repeat it: " + e.cause.Error()
}

func (e *unknownOutcome) Unwrap() error { return e.cause }

// committed returns the error of a commit.
func committed(d dialect, err error) error {
	if err != nil && lost(err) {
		return &unknownOutcome{told(d, err)}
	}
	return told(d, err)
}

// failed wraps the error of an operation. If the context is done, that is the
// reason, whatever the driver made of it.
func (s *Store) failed(ctx context.Context, op, id string, err error) error {
	if err == nil {
		return nil
	}
	err = told(s.dialect, err)
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) && tokenstore.Kind(err) == nil {
		err = fmt.Errorf("%w: %w", ctxErr, err)
	}
	return failure(op, id, s.dialect, err)
}

// failure makes a tokenstore.Error of err. Its kind is the one that err matches
// or, if there is none, the one that the dialect knows for it.
func failure(op, id string, d dialect, err error) error {
	if err == nil {
		return nil
	}
	err = told(d, err)
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
