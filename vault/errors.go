package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
)

// failure is the error of a call. Its text has the kind, what was done and the
// status, and of the server's own words only those that are known to hold
// neither a path nor data.
type failure struct {
	kind  error // a sentinel of package driver, ErrNotKV2, or nil
	op    string
	text  string
	cause error
}

func (f *failure) Error() string {
	if f.kind == nil {
		return f.op + ": " + f.text
	}
	return fmt.Sprintf("%v: %s: %s", f.kind, f.op, f.text)
}

func (f *failure) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.kind, f.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// known are the server's words by which errors of one status are told apart.
// The first that occurs decides; a nil kind leaves it to the status.
var known = []struct {
	words string
	kind  error
}{
	{casMismatch, driver.ErrConflict},
	{upgrading, driver.ErrUnavailable},
	{noHandler, ErrNotKV2},
	{"missing client token", driver.ErrDenied},
	{"permission denied", driver.ErrDenied},
	{"value being too large", driver.ErrTooLarge},
	{"request body too large", driver.ErrTooLarge},
	{"JSON string value exceeds allowed length", driver.ErrTooLarge},
	{"JSON object exceeds allowed entry count", driver.ErrTooLarge},
	{"JSON array exceeds allowed element count", driver.ErrTooLarge},
	{"JSON input exceeds allowed nesting depth", driver.ErrInvalid},
	{"could not find version data", driver.ErrUnreadable},
	{sealed, nil},
	{"Vault is not initialized", nil},
	{"active cluster node not found", nil},
	{"node not active", nil},
	{"rate limit quota exceeded", nil},
	{"request path is locked", nil},
	{"forwarding via header X-Vault-Forward disabled in configuration", nil},
}

const (
	casMismatch = "check-and-set parameter did not match the current version"
	upgrading   = "from non-versioned to versioned data"
	noHandler   = "no handler for route"
	sealed      = "Vault is sealed"
)

// classify turns the client's error of one call into one of this package. The
// error of the caller's own context is returned as it is.
func classify(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var reply *api.ResponseError
	if errors.As(err, &reply) {
		return refusal(op, reply)
	}
	f := &failure{kind: driver.ErrUnavailable, op: op, cause: err}
	var address *url.Error // Its text names the path.
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// The client's own limit: it must not pass for the caller's context.
		f.text, f.cause = "no answer within the client's timeout", nil
	case errors.As(err, &address):
		f.text = address.Err.Error()
	default:
		f.text = "no usable answer"
	}
	return f
}

// refusal is the error of a reply with an error status.
func refusal(op string, reply *api.ResponseError) error {
	f := &failure{op: op, kind: kindOf(reply.StatusCode), cause: reply}
	f.text = statusText(reply.StatusCode)
	said := strings.Join(reply.Errors, "\n")
	for _, k := range known {
		if !strings.Contains(said, k.words) {
			continue
		}
		if k.kind != nil {
			f.kind = k.kind
		}
		f.text = fmt.Sprintf("%s (status %d)", k.words, reply.StatusCode)
		break
	}
	return f
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", status, http.StatusText(status)))
}

// What standbys of Vault Enterprise answer that take no requests.
const (
	statusRecoveryStandby    = 472
	statusPerformanceStandby = 473
)

func kindOf(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return driver.ErrDenied
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		return driver.ErrInvalid
	case http.StatusRequestEntityTooLarge:
		return driver.ErrTooLarge
	case http.StatusTooManyRequests:
		return driver.ErrThrottled
	case http.StatusRequestTimeout, statusRecoveryStandby, statusPerformanceStandby,
		http.StatusPreconditionFailed: // A standby does not know that state yet.
		return driver.ErrUnavailable
	}
	if status >= http.StatusInternalServerError {
		return driver.ErrUnavailable
	}
	return nil
}

// says reports whether err is a reply that has these words.
func says(err error, words string) bool {
	var reply *api.ResponseError
	return errors.As(err, &reply) && strings.Contains(strings.Join(reply.Errors, "\n"), words)
}

// statusOf returns the status of the reply that err holds, or 0.
func statusOf(err error) int {
	var reply *api.ResponseError
	if errors.As(err, &reply) {
		return reply.StatusCode
	}
	return 0
}

// undecided reports whether a write that ended in err may have been carried out
// all the same.
func undecided(err error) bool {
	return errors.Is(err, driver.ErrUnavailable) && !says(err, sealed) && !says(err, upgrading)
}
