// How callers tell failures apart.

package tokensource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"example.com/tokenstore"
)

// kindError is a kind of failure, which may be one of the store's kinds too, so that
// [tokenstore.Retryable] knows it.
type kindError struct {
	text string
	as   error
}

func (k *kindError) Error() string { return k.text }
func (k *kindError) Unwrap() error { return k.as }

// The kinds of failure. Match them with errors.Is. A [Redeemer] returns the first four.
var (
	// ErrNeedsConsent: the provider refuses the refresh token (invalid_grant): it was revoked, has
	// expired or was spent. The user has to consent again. The store remembers it, and the
	// provider is asked again once a day, or as soon as another refresh token is stored.
	ErrNeedsConsent error = &kindError{"the provider refuses the refresh token: the user has to consent again", nil}
	// ErrMisconfigured: the provider refuses the client (invalid_client and the like), or
	// a setting is wrong.
	ErrMisconfigured error = &kindError{"the client or its settings are wrong: check its ID and secret", nil}
	// ErrThrottled: the provider asks for a pause. It matches tokenstore.ErrThrottled too.
	ErrThrottled error = &kindError{"the provider asks for a pause", tokenstore.ErrThrottled}
	// ErrNotSent: the request did not reach the provider: refused connection, unknown name, no
	// TLS. It matches tokenstore.ErrUnavailable too.
	ErrNotSent error = &kindError{"the provider cannot be reached", tokenstore.ErrUnavailable}
	// ErrNotSaved: the token is valid, but the store has not accepted it yet. The Source goes on
	// trying; if the process ends before it is saved, a rotated refresh token is lost.
	ErrNotSaved error = &kindError{"the new token is not saved yet", nil}
	// ErrClosed: the Source has been closed.
	ErrClosed = errors.New("tokensource: the source is closed")
)

// Error is a failed refresh. errors.Is and errors.As find its Kind and its cause. Its message shows
// the cause only as far as that cannot contain a credential: a Redeemer's own words are left out, unless
// an error has a method Reason() string, which returns what may be shown.
type Error struct {
	// Kind is one of the kinds of this package or, if the outcome is unknown or a wait was too
	// long, tokenstore.ErrUnavailable.
	Kind error
	// Since is when the refresh token was first refused or, if a process died or an answer was
	// lost, since when it may have been spent; zero if unknown.
	Since time.Time
	// Next is when the next attempt can be made; zero if unknown.
	Next time.Time
	// Err is the cause, or nil.
	Err error
}

// Error returns "tokensource: kind (since time; next attempt at time): cause".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("tokensource: ")
	if e.Kind != nil {
		b.WriteString(e.Kind.Error())
	} else {
		b.WriteString("failed")
	}
	var when []string
	if !e.Since.IsZero() {
		when = append(when, "since "+e.Since.UTC().Format(time.RFC3339))
	}
	if !e.Next.IsZero() {
		when = append(when, "next attempt at "+e.Next.UTC().Format(time.RFC3339))
	}
	if len(when) > 0 {
		b.WriteString(" (" + strings.Join(when, "; ") + ")")
	}
	if e.Err != nil {
		if text := describe(e.Err); text != "" {
			b.WriteString(": " + text)
		}
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

// describe returns what can be shown of a cause. An error of a Redeemer may quote a request or an
// answer, and with it a credential.
func describe(err error) string {
	var own *Error
	var kind *kindError
	var stores *tokenstore.Error
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	var given interface{ Reason() string }
	switch {
	case errors.As(err, &own):
		if own.Err == nil {
			return ""
		}
		return describe(own.Err)
	case errors.As(err, &kind):
		return "" // It is the Kind.
	case errors.As(err, &stores):
		return stores.Error()
	case errors.Is(err, errNoToken), errors.Is(err, errClaimed):
		return err.Error()
	case errors.As(err, &given):
		return given.Reason()
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed"
	}
	return fmt.Sprintf("%T", err)
}

var (
	errNoToken = errors.New("the redeemer returned no access token")
	errClaimed = errors.New("another process is refreshing the token")
)

// unavailable is the error of a wait that would take too long.
func unavailable(since, next time.Time, cause error) *Error {
	return &Error{Kind: tokenstore.ErrUnavailable, Since: since, Next: next, Err: cause}
}

// fromRedeemer returns a Redeemer's error as an *Error, whose text shows nothing of it.
func fromRedeemer(err error) *Error {
	wrapped := &Error{Kind: tokenstore.ErrUnavailable, Err: err}
	for _, kind := range []error{ErrNeedsConsent, ErrMisconfigured, ErrThrottled, ErrNotSent} {
		if errors.Is(err, kind) {
			wrapped.Kind = kind
			break
		}
	}
	var own *Error
	if errors.As(err, &own) {
		wrapped.Next = own.Next
	}
	return wrapped
}
