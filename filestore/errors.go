// The errors of this package, and how a fault becomes an error of package tokenstore.

package filestore

import (
	"fmt"
	"os"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/rowstore"
)

var (
	errNoID     = fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument)
	errClosed   = fmt.Errorf("%w: the store is closed; open it again: %w", tokenstore.ErrInvalidArgument, os.ErrClosed)
	errReadOnly = fmt.Errorf("%w: the file is open for reading only; open it without readonly to change it", tokenstore.ErrDenied)
	errChanging = fmt.Errorf("%w: the file kept changing while it was read; retry when the program that writes it is done", tokenstore.ErrConflict)
	errEmptied  = fmt.Errorf("%w: the file was emptied a moment ago, as the SDKs do before they write it; "+
		"retry, or remove the file if it is meant to be empty", tokenstore.ErrConflict)
	errNoFile      = fmt.Errorf("%w: the path must name a regular file", tokenstore.ErrInvalidArgument)
	errLockNoFile  = fmt.Errorf("%w: what is in the place of the lock file (%s after the file's name) is not a regular file; remove it", tokenstore.ErrInvalidArgument, lockSuffix)
	errLastNoFile  = fmt.Errorf("%w: what is in the place of the file with the last ID (%s after the file's name) is not a regular file; remove it", tokenstore.ErrInvalidArgument, lastIDSuffix)
	errNotesNoFile = fmt.Errorf("%w: what is in the place of the file with the notes (%s after the file's name) is not a regular file; remove it", tokenstore.ErrInvalidArgument, notesSuffix)
	errNoNotes     = fmt.Errorf("%w: a file that is written in place has no notes, which need a file beside it; open it without WithInPlace", tokenstore.ErrInvalidArgument)
	errNoFolder    = fmt.Errorf("%w: there is no such folder; create it first", tokenstore.ErrInvalidArgument)
)

// LineError says what is wrong with one line of a file. It quotes nothing of
// the line.
type LineError struct {
	// Line is the number of the line, from 1.
	Line int
	// Problem is what is wrong with it.
	Problem string
}

// Error returns "line 3: problem".
func (e LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Unwrap returns tokenstore.ErrUnreadable.
func (e LineError) Unwrap() error { return tokenstore.ErrUnreadable }

// RowErrors returns the error of the line alone.
func (e LineError) RowErrors() []error { return []error{e} }

// UnreadableError names the lines of a file that cannot be read for certain. It
// matches tokenstore.ErrUnreadable.
type UnreadableError struct {
	// Lines are in the order of the file.
	Lines []LineError
}

// linesShown is how many lines an error's text names.
const linesShown = 10

// Error names the first ten lines.
func (e *UnreadableError) Error() string {
	var parts []string
	for i, l := range e.Lines {
		if i == linesShown {
			parts = append(parts, fmt.Sprintf("and %d more lines", len(e.Lines)-i))
			break
		}
		parts = append(parts, l.Error())
	}
	return tokenstore.ErrUnreadable.Error() + ": " + strings.Join(parts, "; ")
}

// Unwrap returns tokenstore.ErrUnreadable.
func (e *UnreadableError) Unwrap() error { return tokenstore.ErrUnreadable }

// RowErrors returns each of the lines, as an error of its own.
func (e *UnreadableError) RowErrors() []error {
	var all []error
	for _, l := range e.Lines {
		all = append(all, l)
	}
	return all
}

var (
	_ rowstore.RowErrors = (*UnreadableError)(nil)
	_ rowstore.RowErrors = LineError{}
)

// failure makes a tokenstore.Error of err, without the path that an error of the
// system has.
func failure(op, id string, err error) error {
	if err == nil {
		return nil
	}
	err = fsfault.Of(err)
	e := &tokenstore.Error{Store: "filestore", Op: op, Name: tokenstore.Redact(id), Kind: tokenstore.Kind(err), Err: err}
	//nolint:errorlint // Only the bare sentinel says nothing more than the kind.
	if err == e.Kind {
		e.Err = nil
	}
	return e
}
