// How the failures of requests become errors of package tokensource.

package zoho

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unsent"
	"example.com/tokenstore/tokensource"
)

// fault is a cause in our own words, which hold no credential: package tokensource shows
// it.
type fault string

func (f fault) Error() string  { return "zoho: " + string(f) }
func (f fault) Reason() string { return f.Error() }

func faultf(format string, args ...any) fault { return fault(fmt.Sprintf(format, args...)) }

func misconfigured(format string, args ...any) error {
	return &tokensource.Error{Kind: tokensource.ErrMisconfigured, Err: faultf(format, args...)}
}

// invalid is a fault of the program that uses this package.
func invalid(format string, args ...any) error {
	return fmt.Errorf("zoho: %w: %s", tokenstore.ErrInvalidArgument, fmt.Sprintf(format, args...))
}

func needsConsent(format string, args ...any) error {
	return &tokensource.Error{Kind: tokensource.ErrNeedsConsent, Err: faultf(format, args...)}
}

func throttled(next time.Time, format string, args ...any) error {
	return &tokensource.Error{Kind: tokensource.ErrThrottled, Next: next, Err: faultf(format, args...)}
}

// sendError returns the error of a request that got no answer. One that never left this
// machine matches tokensource.ErrNotSent.
func sendError(ctx context.Context, connection *unsent.Connection, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var outer *url.Error // It quotes the URL.
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if connection.Never() {
		return &tokensource.Error{Kind: tokensource.ErrNotSent, Err: err}
	}
	return fmt.Errorf("zoho: no answer: %w", err)
}
