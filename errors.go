// How callers tell errors apart: one set of sentinels for all stores, and one error
// type that names the store and the operation and never holds a credential.

package tokenstore

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"example.com/tokenstore/driver"
)

// The errors of a store. Match them with errors.Is.
var (
	// ErrNotFound: no stored token matches. Never returned for a failure.
	ErrNotFound = errors.New("token not found")
	// ErrInvalidToken: the token cannot be stored; the error says why.
	ErrInvalidToken = errors.New("invalid token")
	// ErrInvalidArgument: an argument other than a token is invalid.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrConflict: others kept changing the token while it was being saved, and the
	// store gave up. Nothing was stored.
	ErrConflict = driver.ErrConflict
	// ErrTooLarge: the token exceeds the service's size limit, or a document of the
	// index would (index.ErrFull), because too many tokens share one key.
	ErrTooLarge = driver.ErrTooLarge
	// ErrUnreadable: the stored data cannot be understood.
	ErrUnreadable = driver.ErrUnreadable
	// ErrNoContainer: the mount, namespace, project, region or folder that should
	// hold the store does not exist. It says nothing about any token.
	ErrNoContainer = driver.ErrNoContainer
	// ErrDenied: the credentials are missing, expired or lack a permission.
	ErrDenied = driver.ErrDenied
	// ErrThrottled: too many calls; the same call will succeed later.
	ErrThrottled = driver.ErrThrottled
	// ErrQuota: a quota of the service is used up and does not refill within
	// minutes.
	ErrQuota = driver.ErrQuota
	// ErrUnavailable: the service does not answer. A save may or may not have
	// happened; repeating it is safe.
	ErrUnavailable = driver.ErrUnavailable
)

// Error is the error type that stores return. errors.Is and errors.As find its Kind
// and its cause. Its message contains no credential.
type Error struct {
	// Store is the kind of store, for example "awssm".
	Store string
	// Op is what was being done, for example "save token".
	Op string
	// Name is the ID or name it was done to, shortened by [Redact]; it may be empty.
	Name string
	// Kind is one of the sentinels of this package, or nil if none applies.
	Kind error
	// Err is the cause, or nil if there is nothing to add to Kind.
	Err error
}

// Error returns "store: operation "name": kind: cause".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Store != "" {
		b.WriteString(e.Store + ": ")
	}
	b.WriteString(e.Op)
	if e.Name != "" {
		b.WriteString(` "` + e.Name + `"`)
	}
	// If the cause wraps the kind, its message already includes it.
	if e.Kind != nil && (e.Err == nil || !strings.Contains(e.Err.Error(), e.Kind.Error())) {
		b.WriteString(": " + e.Kind.Error())
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Redact shortens a token's ID or a secret's name to its first two characters, for
// errors and logs, because an ID chosen by a caller may contain something that must
// not appear there.
func Redact(name string) string {
	short := name
	for range 2 {
		_, n := utf8.DecodeRuneInString(short)
		short = short[n:]
	}
	if short == "" {
		return name
	}
	return strings.ToValidUTF8(name[:len(name)-len(short)], "") + "…"
}

// kinds are the sentinels in the order in which [Kind] checks them.
var kinds = []error{
	ErrNotFound, ErrInvalidToken, ErrInvalidArgument, ErrConflict, ErrTooLarge,
	ErrUnreadable, ErrNoContainer, ErrDenied, ErrThrottled, ErrQuota, ErrUnavailable,
}

// Kind returns the sentinel of this package that err matches, or nil.
func Kind(err error) error {
	for _, k := range kinds {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// Retryable reports whether the call that returned err may succeed if it is retried
// unchanged a little later. It is false for nil and for errors of the caller's own
// context.
func Retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable)
}
