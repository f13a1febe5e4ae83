// Package fsfault classifies file system errors for the stores that keep their tokens in a
// file: which sentinel of package tokenstore an error matches, and what to do about it.
// It leaves out the path, since that may come from a URL.
package fsfault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"example.com/tokenstore"
)

// fault is an error of the system, described without the path.
type fault struct {
	kind  error
	words string
	cause error
}

func (f *fault) Error() string {
	if f.kind == nil {
		return f.words
	}
	return f.kind.Error() + ": " + f.words
}

// GoString keeps %#v from printing the cause.
func (f *fault) GoString() string { return fmt.Sprintf("%q", f.Error()) }

func (f *fault) Unwrap() []error {
	if f.kind == nil {
		return []error{f.cause}
	}
	return []error{f.kind, f.cause}
}

// Missing is the error for a file that must exist, in our own words. It matches
// tokenstore.ErrInvalidArgument and fs.ErrNotExist.
type Missing string

func (m Missing) Error() string { return string(m) }

// Is reports whether it matches target.
func (m Missing) Is(target error) bool {
	return target == tokenstore.ErrInvalidArgument || target == fs.ErrNotExist
}

// Of describes an error of the system without the path, and matches it with a sentinel.
// Errors that match a sentinel already, and those of a context, are returned unchanged.
// The cause stays reachable with errors.As.
func Of(err error) error {
	var told *fault
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err == nil || ended || tokenstore.Kind(err) != nil || errors.As(err, &told) {
		return err
	}
	advice, kind := kindOf(err)
	reason := reasonOf(err)
	if advice != "" {
		reason += "; " + advice
	}
	return &fault{kind, reason, err}
}

// reasonOf returns the system's reason without the path.
func reasonOf(err error) string {
	var number syscall.Errno
	switch {
	case errors.As(err, &number): // Its messages are fixed.
		return number.Error()
	case errors.Is(err, fs.ErrPermission):
		return fs.ErrPermission.Error()
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist.Error()
	case errors.Is(err, fs.ErrExist):
		return fs.ErrExist.Error()
	case errors.Is(err, os.ErrClosed):
		return os.ErrClosed.Error()
	}
	return fmt.Sprintf("the system reports a fault (%T)", err)
}

// kindOf returns advice about an error of the system, and the sentinel for it or nil.
func kindOf(err error) (advice string, kind error) {
	var number syscall.Errno
	if errors.As(err, &number) {
		if advice, kind := numbered(number); kind != nil {
			return advice, kind
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "check the permissions of the file and its folder", tokenstore.ErrDenied
	case errors.Is(err, fs.ErrNotExist):
		return "check the path", tokenstore.ErrInvalidArgument
	}
	return "", nil
}
