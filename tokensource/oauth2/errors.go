// What a failed request means: which kind of error, and whether the provider can have received it.

package oauth2

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"example.com/tokenstore/internal/retryafter"
	"example.com/tokenstore/tokensource"
)

// reason is an error without anything of a request or reply, which tokensource shows.
type reason string

func (r reason) Error() string  { return string(r) }
func (r reason) Reason() string { return string(r) }

const (
	errOtherClient reason = "the stored token belongs to another client than the one that is configured"
	errReply       reason = "the reply has no access token, or cannot be understood"
)

// codes are the error codes of token endpoints that say what a refusal means.
var codes = map[string]error{
	"invalid_grant":         tokensource.ErrNeedsConsent, // RFC 6749, section 5.2
	"invalid_code":          tokensource.ErrNeedsConsent, // Zoho
	"bad_refresh_token":     tokensource.ErrNeedsConsent, // GitHub
	"bad_verification_code": tokensource.ErrNeedsConsent, // GitHub, of a code
	"invalid_refresh_token": tokensource.ErrNeedsConsent, // Slack

	"invalid_client":               tokensource.ErrMisconfigured,
	"unauthorized_client":          tokensource.ErrMisconfigured,
	"unsupported_grant_type":       tokensource.ErrMisconfigured,
	"invalid_request":              tokensource.ErrMisconfigured,
	"invalid_scope":                tokensource.ErrMisconfigured,
	"invalid_client_secret":        tokensource.ErrMisconfigured, // Zoho
	"incorrect_client_credentials": tokensource.ErrMisconfigured, // GitHub
	"redirect_uri_mismatch":        tokensource.ErrMisconfigured, // GitHub

	"slow_down": tokensource.ErrThrottled, // RFC 8628, section 3.5
	// Zoho, and Exact Online for a refresh that comes too early. The standard has this code
	// for the authorization endpoint only.
	"access_denied": tokensource.ErrThrottled,
	"Access Denied": tokensource.ErrThrottled,
}

// kind returns the kind of an answered refusal, or nil.
func kind(e *oauth2.RetrieveError) error {
	status := statusOf(e)
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && e.Response.Header.Get("Retry-After") != "":
		return tokensource.ErrThrottled
	case status >= http.StatusInternalServerError:
		return nil // A gateway's, perhaps, behind which the request went on.
	}
	k := codes[e.ErrorCode]
	if errors.Is(k, tokensource.ErrThrottled) && status == http.StatusForbidden {
		return nil // A policy's refusal.
	}
	return k
}

func statusOf(e *oauth2.RetrieveError) int {
	if e.Response == nil {
		return 0
	}
	return e.Response.StatusCode
}

// classify returns an error of package tokensource, with the cause behind it.
func (r *Redeemer) classify(err error) error {
	var refused *oauth2.RetrieveError
	var not *noConnection
	var transport *url.Error
	switch {
	case errors.As(err, &not):
		return &tokensource.Error{Kind: tokensource.ErrNotSent, Err: not.err}
	case errors.As(err, &refused):
		e := &tokensource.Error{Kind: kind(refused), Err: withoutWords(refused)}
		if e.Kind == nil {
			return e.Err
		}
		if errors.Is(e.Kind, tokensource.ErrThrottled) && refused.Response != nil {
			e.Next = retryafter.Time(refused.Response.Header, r.now())
		}
		return e
	case errors.As(err, &transport):
		return err
	}
	return errReply // x/oauth2's words may quote the reply.
}

// refusesClient reports whether an answer can mean that the client has to authenticate in another
// way. It is a refusal, so nothing was redeemed.
func refusesClient(err error) bool {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || statusOf(refused) >= http.StatusInternalServerError {
		return false
	}
	k := kind(refused)
	return k == nil || errors.Is(k, tokensource.ErrMisconfigured)
}

// refusal is an answer that gives no token. errors.As finds an oauth2.RetrieveError in it.
type refusal struct{ err *oauth2.RetrieveError }

// withoutWords returns a refusal with the status, the time to come back and the error code if
// it is a known one, and without everything else: a provider may quote the request, and the
// response has it.
func withoutWords(e *oauth2.RetrieveError) error {
	bare := &oauth2.RetrieveError{Response: &http.Response{}}
	if codes[e.ErrorCode] != nil {
		bare.ErrorCode = e.ErrorCode
	}
	if e.Response != nil {
		bare.Response.StatusCode = e.Response.StatusCode
		bare.Response.Status = fmt.Sprintf("%d %s", e.Response.StatusCode, http.StatusText(e.Response.StatusCode))
		if after := e.Response.Header.Get("Retry-After"); after != "" {
			bare.Response.Header = http.Header{"Retry-After": {after}}
		}
	}
	return &refusal{bare}
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the token endpoint answered with status %d and %s", statusOf(r.err), cmp.Or(r.err.ErrorCode, "no known error code"))
}

func (r *refusal) Unwrap() error { return r.err }

// Reason is what tokensource shows of it.
func (r *refusal) Reason() string { return r.Error() }

// noConnection is the failure of a request for which there was no connection.
type noConnection struct{ err error }

func (u *noConnection) Error() string { return u.err.Error() }
func (u *noConnection) Unwrap() error { return u.err }
