package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"example.com/tokenstore"
)

var (
	errNoID     = fmt.Errorf("%w: the ID is empty", tokenstore.ErrInvalidArgument)
	errClosed   = fmt.Errorf("%w: the store is closed: %w", tokenstore.ErrInvalidArgument, os.ErrClosed)
	errReadOnly = fmt.Errorf("%w: the file is open for reading only", tokenstore.ErrDenied)
	errChanging = fmt.Errorf("%w: the file changes all the time", tokenstore.ErrConflict)
	errEmptied  = fmt.Errorf("%w: the file has only just been emptied, as the SDKs do before they write it; "+
		"try again soon, or remove the file if it is to be empty", tokenstore.ErrConflict)
	errNoFile   = fmt.Errorf("%w: a regular file is needed", tokenstore.ErrInvalidArgument)
	errNoFolder = fmt.Errorf("%w: there is no such folder", tokenstore.ErrInvalidArgument)
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

// UnreadableError says which lines of a file cannot be read for certain. It
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

// failure makes a tokenstore.Error of err.
func failure(op, id string, err error) error {
	if err == nil {
		return nil
	}
	e := &tokenstore.Error{Store: "filestore", Op: op, Name: tokenstore.Redact(id), Kind: kindOf(err), Err: err}
	//nolint:errorlint // Only the bare sentinel says nothing more than the kind.
	if err == e.Kind {
		e.Err = nil
	}
	return e
}

// kindOf returns the sentinel that suits the error, or nil.
func kindOf(err error) error {
	switch kind := tokenstore.Kind(err); {
	case kind != nil:
		return kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, fs.ErrPermission):
		return tokenstore.ErrDenied
	case errors.Is(err, fs.ErrNotExist):
		return tokenstore.ErrInvalidArgument
	}
	return systemKind(err)
}
