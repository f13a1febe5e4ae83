package gcpsm

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore/driver"
)

// fault is a call that failed.
type fault struct {
	op   string // the service's method
	code string // the status, or what else can be said safely
	kind error  // a sentinel of package driver, or the context's error
	err  error
	grpc codes.Code
}

const contextEnded = "the context ended"

// Error holds neither the service's message nor anything of the request.
func (f *fault) Error() string { return f.kind.Error() + ": " + f.op + ": " + f.code }

// Unwrap returns the kind and the client's error.
func (f *fault) Unwrap() []error { return []error{f.kind, f.err} }

// give returns the fault as an error for the caller: a context's error as it is.
func (f *fault) give() error {
	if f.ended() {
		return f.kind
	}
	return f
}

// ended reports whether the call failed because the caller's context ended.
func (f *fault) ended() bool {
	return errors.Is(f.kind, context.Canceled) || errors.Is(f.kind, context.DeadlineExceeded)
}

// newFault classifies the error of a call.
func newFault(ctx context.Context, op string, err error) *fault {
	f := &fault{op: op, err: err}
	if cause := ctx.Err(); cause != nil {
		f.kind, f.code = cause, contextEnded
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// A timeout of the client itself: not to be taken for the caller's.
		f.err = sealed{err}
	}
	f.grpc, f.code = codeOf(err)
	f.kind = kinds[f.grpc]
	switch {
	case f.kind == nil:
		f.kind = driver.ErrUnavailable
	case f.grpc == codes.FailedPrecondition && aboutKey(err):
		f.kind = driver.ErrDenied
	}
	return f
}

// kinds are the sentinels of the status codes; those that are not here say that
// the call may or may not have been carried out.
var kinds = map[codes.Code]error{
	codes.NotFound:           driver.ErrNotFound,
	codes.AlreadyExists:      driver.ErrConflict,
	codes.Aborted:            driver.ErrConflict,
	codes.FailedPrecondition: driver.ErrConflict,
	codes.PermissionDenied:   driver.ErrDenied,
	codes.Unauthenticated:    driver.ErrDenied,
	codes.ResourceExhausted:  driver.ErrThrottled,
	codes.InvalidArgument:    driver.ErrInvalid,
	codes.OutOfRange:         driver.ErrInvalid,
	codes.Unimplemented:      driver.ErrInvalid,
}

// codeOf returns the status code of an error, of a gRPC or a REST client, and
// its name.
func codeOf(err error) (codes.Code, string) {
	var web *googleapi.Error
	if errors.As(err, &web) {
		code := webCode(web)
		return code, code.String()
	}
	var credentials *auth.Error
	if errors.As(err, &credentials) {
		if passing(credentials) {
			return codes.Unavailable, noSource
		}
		return codes.Unauthenticated, "no credentials, or they cannot be refreshed"
	}
	if s, ok := status.FromError(err); ok {
		if s.Code() == codes.Unauthenticated && passingText.MatchString(s.Message()) {
			return codes.Unavailable, noSource
		}
		return s.Code(), s.Code().String()
	}
	return codes.Unknown, "no usable reply"
}

const noSource = "the source of the credentials gives none at present"

// passing reports whether credentials could only not be fetched just now.
func passing(err *auth.Error) bool {
	// Not of the whole error: the client's own, around it, is a net.Error too.
	var network net.Error
	return err.Temporary() || errors.As(err.Err, &network)
}

// passingText matches what gRPC makes of such an error, of which it keeps the
// text only: a request that got no answer, or the answer's status.
var passingText = regexp.MustCompile(`per-RPC creds failed due to error: (?s:.*)(?:(?:Get|Post|Put) "https?://[^"]*": |cannot fetch token: (?:408|429|500|503)\n)`)

// webCode returns the status code of a REST reply. The body has it, since 400
// stands for several; a proxy between may send something else.
func webCode(err *googleapi.Error) codes.Code {
	var body struct {
		Error struct{ Status json.RawMessage }
	}
	var code codes.Code
	if json.Unmarshal([]byte(err.Body), &body) == nil && code.UnmarshalJSON(body.Error.Status) == nil && code != codes.OK {
		return code
	}
	switch err.Code {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusBadRequest:
		return codes.InvalidArgument
	}
	return codes.Unavailable // That a proxy knows no such page says nothing of a secret.
}

// aboutKey reports whether a precondition that does not hold is that of the
// customer's key: it is disabled, or the service may not use it.
func aboutKey(err error) bool {
	message := secretName.ReplaceAllString(strings.ToLower(err.Error()), "")
	return strings.Contains(message, "kms") || strings.Contains(message, "cryptokey")
}

// secretName matches the name of a secret, which the service quotes, and which
// may hold any word.
var secretName = regexp.MustCompile(`projects/[a-z0-9.:-]+(/locations/[a-z0-9-]+)?/secrets/[a-z0-9_-]+`)

// sealed keeps an error reachable with errors.As but not with errors.Is.
type sealed struct{ err error }

func (s sealed) Error() string      { return "the client's own timeout" }
func (s sealed) As(target any) bool { return errors.As(s.err, target) }
