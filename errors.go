package tokenstore

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"example.com/tokenstore/driver"
)

// The errors of a store. Each is matched with errors.Is.
var (
	// ErrNotFound: no stored token matches. It is different from every fault.
	ErrNotFound = errors.New("token not found")
	// ErrInvalidToken: the token cannot be stored as it is.
	ErrInvalidToken = errors.New("invalid token")
	// ErrInvalidArgument: an argument other than a token is not usable.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrConflict: others changed the token again and again while it was being
	// saved, and the store gave up. Nothing of the save was stored.
	ErrConflict = driver.ErrConflict
	// ErrTooLarge: the token is larger than the service stores, or a document of
	// the index, which then needs a larger fan-out, would be (index.ErrFull).
	ErrTooLarge = driver.ErrTooLarge
	// ErrUnreadable: what is stored cannot be understood.
	ErrUnreadable = driver.ErrUnreadable
	// ErrNoContainer: the place that would hold the store does not exist: the
	// mount, namespace, project, region or folder. It says nothing about any token.
	ErrNoContainer = driver.ErrNoContainer
	// ErrDenied: the credentials are missing, expired or lack a permission.
	ErrDenied = driver.ErrDenied
	// ErrThrottled: too many calls; the same call succeeds later.
	ErrThrottled = driver.ErrThrottled
	// ErrQuota: a quota of the service that does not refill within minutes is
	// used up.
	ErrQuota = driver.ErrQuota
	// ErrUnavailable: the service does not answer. A save may or may not have
	// happened; doing it again is safe.
	ErrUnavailable = driver.ErrUnavailable
)

// Error is the error that stores return. It matches its Kind and its cause
// with errors.Is and errors.As. Its text holds no credential.
type Error struct {
	// Store is the kind of store, for example "awssm".
	Store string
	// Op is what was being done, for example "save token".
	Op string
	// Name is what it was done to, shortened by [Redact]; it may be empty.
	Name string
	// Kind is one of the sentinels of this package, or nil if none applies.
	Kind error
	// Err is the cause, or nil if Kind says it all.
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
	// A cause that wraps its kind says it already.
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

// Redact shortens a token's ID or a secret's name to its first two characters,
// for errors and logs: an ID that a caller chose may hold what should not be
// seen there.
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

// kinds are the sentinels in the order in which [Kind] looks for them.
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

// Retryable reports whether the call that returned err may succeed if it is
// made again as it was, a little later. It is false for nil, and for an error
// of the caller's own context.
func Retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable)
}
