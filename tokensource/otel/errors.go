// The names of the kinds of error, the only thing of an error that is reported.

package otel

import (
	"context"
	"errors"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/tokensource"
)

// kinds are the names of the kinds of error, in the order in which they are tried: one of the
// source's is often one of the store's too.
var kinds = []struct {
	err  error
	name string
}{
	{tokensource.ErrNeedsConsent, "needs_consent"},
	{tokensource.ErrMisconfigured, "misconfigured"},
	{tokensource.ErrThrottled, "provider_throttled"},
	{tokensource.ErrNotSent, "not_sent"},
	{tokensource.ErrNotSaved, "not_saved"},
	{tokensource.ErrClosed, "closed"},
	{tokenstore.ErrNotFound, "not_found"},
	{driver.ErrNotFound, "not_found"},
	{tokenstore.ErrInvalidToken, "invalid_token"},
	{tokenstore.ErrInvalidArgument, "invalid_argument"},
	{driver.ErrInvalid, "invalid_secret"},
	{tokenstore.ErrConflict, "conflict"},
	{tokenstore.ErrTooLarge, "too_large"},
	{tokenstore.ErrUnreadable, "unreadable"},
	{tokenstore.ErrNoContainer, "no_container"},
	{tokenstore.ErrDenied, "denied"},
	{tokenstore.ErrThrottled, "throttled"},
	{tokenstore.ErrQuota, "quota"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
	{tokenstore.ErrUnavailable, "unavailable"},
}

// kindOf returns the name of an error's kind; _OTHER is the word of the semantic conventions
// for none.
func kindOf(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "_OTHER"
}

// failure reports whether err is more than an answer: a race that was lost, and a secret or
// token that does not exist, are in the course of things.
func failure(err error) bool {
	return err != nil && !errors.Is(err, tokenstore.ErrConflict) && !errors.Is(err, tokenstore.ErrNotFound) && !errors.Is(err, driver.ErrNotFound)
}
