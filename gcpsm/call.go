// Every call of the service goes through call, which retries where that is safe and
// turns the error of either of Google's clients into one of package driver's. The text
// of an error never holds anything of a request or of the service's message.

package gcpsm

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore/driver"
)

// API is the part of Google's client that the package needs. *secretmanager.Client
// implements it, whether from NewClient or NewRESTClient.
type API interface {
	AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error)
	AddSecretVersion(context.Context, *secretmanagerpb.AddSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	DestroySecretVersion(context.Context, *secretmanagerpb.DestroySecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	EnableSecretVersion(context.Context, *secretmanagerpb.EnableSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	CreateSecret(context.Context, *secretmanagerpb.CreateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	GetSecret(context.Context, *secretmanagerpb.GetSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	UpdateSecret(context.Context, *secretmanagerpb.UpdateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	DeleteSecret(context.Context, *secretmanagerpb.DeleteSecretRequest, ...gax.CallOption) error
	ListSecrets(context.Context, *secretmanagerpb.ListSecretsRequest, ...gax.CallOption) *secretmanager.SecretIterator
}

var _ API = (*secretmanager.Client)(nil)

const (
	// tries is how often a call is sent that exceeds a quota, or a read that
	// gets no answer.
	tries = 6
	// quotaWait and answerWait are the first pauses; each later one is twice as long.
	quotaWait  = 500 * time.Millisecond
	answerWait = 50 * time.Millisecond
)

// repeat says after which failures a call may be sent again.
type repeat int

const (
	never        repeat = iota // The caller checks first.
	ifUnanswered               // A read, or an idempotent write.
)

// operation is a method of the client.
type operation[In, Out any] func(context.Context, In, ...gax.CallOption) (Out, error)

// call makes one call of the service. It turns off the client's own retryer, which
// retries writes if configured so, and waits two seconds before it retries a read.
func call[In, Out any](ctx context.Context, s *settings, op string, again repeat, do operation[In, Out], in In) (Out, *fault) {
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			var none Out
			return none, &fault{op: op, code: contextEnded, kind: err, err: err}
		}
		out, err := do(ctx, in, once)
		if err == nil {
			return out, nil
		}
		f := newFault(ctx, op, secretIn(in), err)
		wait := quotaWait
		switch {
		case try == tries, again == never:
			return out, f
		case errors.Is(f.kind, driver.ErrThrottled):
		case errors.Is(f.kind, driver.ErrUnavailable) && again == ifUnanswered:
			wait = answerWait
		default:
			return out, f
		}
		wait <<= try - 1
		wait += rand.N(wait/2 + 1) //nolint:gosec // Only jitter.
		if err := s.sleep(ctx, wait); err != nil {
			return out, &fault{op: op, code: contextEnded, kind: err, err: err}
		}
	}
}

// secretIn returns the ID of the secret that a request is about, and "" if it is
// about a project, as a list or the creation of a secret is.
func secretIn(request any) string {
	var name string
	switch in := request.(type) {
	case *secretmanagerpb.UpdateSecretRequest:
		name = in.GetSecret().GetName()
	case interface{ GetName() string }:
		name = in.GetName()
	case interface{ GetParent() string }:
		name = in.GetParent()
	}
	return quotedID(name)
}

// once keeps the client from repeating a call.
var once = gax.WithRetry(func() gax.Retryer { return nil })

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

// give returns the fault as an error for the caller: a context's error unchanged.
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

// newFault classifies the error of a call about the secret with an ID, or about
// none if that is empty.
func newFault(ctx context.Context, op, id string, err error) *fault {
	f := &fault{op: op, err: err}
	if cause := ctx.Err(); cause != nil {
		f.kind, f.code = cause, contextEnded
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// A timeout of the client itself, not to be confused with the caller's.
		f.err = sealed{err}
	}
	f.grpc, f.code = codeOf(err)
	f.kind = kinds[f.grpc]
	switch {
	case f.kind == nil:
		f.kind = driver.ErrUnavailable
	case f.grpc == codes.FailedPrecondition && aboutKey(err):
		f.kind = driver.ErrDenied
	case f.grpc == codes.NotFound && !aboutSecret(err, id):
		f.kind, f.code = driver.ErrNoContainer, f.code+placeHint
	case f.grpc == codes.Unimplemented:
		f.code += placeHint
	}
	return f
}

const placeHint = ", but not for a secret; check the project, the location, the endpoint and the KMS key"

// kinds are the sentinels of the status codes. With any other code it is unknown
// whether the call was applied. Unimplemented is also what a gRPC client makes of a
// 404 from a server that is not Secret Manager.
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
	codes.Unimplemented:      driver.ErrNoContainer,
}

// aboutSecret reports whether the service says that this very secret, or a version
// of it, does not exist. It uses the same status for a project, location, key or
// method. (Seen: "Secret [projects/1/secrets/a] not found or has no versions." and
// "Secret Version [projects/1/secrets/a/versions/2] not found.")
func aboutSecret(err error, id string) bool {
	if id == "" {
		return false
	}
	message := messageOf(err)
	if quoted := quotedID(message); quoted != "" {
		return quoted == id
	}
	message = strings.ToLower(message)
	return strings.Contains(message, "secret") && !otherPlace.MatchString(message)
}

// otherPlace matches what else may be missing.
var otherPlace = regexp.MustCompile(`project|location|region|kms|cryptokey|method|service|consumer|api|route`)

// idInName matches the ID in the name of a secret, or of a version.
var idInName = regexp.MustCompile(`/secrets/([A-Za-z0-9_-]+)`)

// quotedID returns the ID of the secret that a string names.
func quotedID(text string) string {
	if m := idInName.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// messageOf returns the service's message without the client's additions, which may
// quote the URL of the request.
func messageOf(err error) string {
	var web *googleapi.Error
	if errors.As(err, &web) {
		return web.Message
	}
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return ""
}

// codeOf returns the status code of an error, of a gRPC or a REST client, and
// its name.
func codeOf(err error) (codes.Code, string) {
	var web *googleapi.Error
	if errors.As(err, &web) {
		code := webCode(web)
		return code, code.String()
	}
	if code, said := unsigned(err); code != codes.OK {
		return code, said
	}
	if s, ok := status.FromError(err); ok {
		return s.Code(), s.Code().String()
	}
	return codes.Unknown, "no usable reply; check the endpoint and any proxy"
}

// unsigned returns the code of a call that was not sent because there were no
// credentials for it, with a description; else codes.OK.
func unsigned(err error) (codes.Code, string) {
	var source string
	var network net.Error
	var refusal *auth.Error
	var request *url.Error
	s, _ := status.FromError(err)
	switch {
	case errors.As(err, &refusal):
		// Not the whole error: the client's own, which wraps it, is a net.Error too.
		if refusal.Temporary() || errors.As(refusal.Err, &network) {
			return codes.Unavailable, noSource
		}
		source = refusal.Error()
	case errors.As(err, &request) && sourceText.MatchString(request.Err.Error()):
		if errors.As(request.Err, &network) {
			return codes.Unavailable, noSource
		}
		source = request.Err.Error()
	case s.Code() == codes.Unauthenticated || s.Code() == codes.Internal:
		// gRPC keeps only the error's text.
		var ok bool
		if _, source, ok = strings.Cut(s.Message(), "per-RPC creds failed due to error: "); !ok {
			return codes.OK, ""
		}
	default:
		return codes.OK, ""
	}
	if passingText.MatchString(source) {
		return codes.Unavailable, noSource
	}
	return codes.Unauthenticated, "no credentials, or they cannot be refreshed; check the application default credentials"
}

const noSource = "the credentials could not be fetched; retry later"

// sourceText matches the beginning of errors from Google's credential sources.
var sourceText = regexp.MustCompile(`^(?:auth|credentials|impersonate|oauth2|compute|metadata|google): `)

// passingText matches the error of a credential source that may recover: a request
// that got no answer, or a status that says so.
var passingText = regexp.MustCompile(`(?:Get|Post|Put) "https?://[^"]*": |(?:cannot fetch token:|compute: Received|status code) (?:408|429|5[0-9][0-9])\b`)

// webCode returns the status code of a REST reply. It is in the body, since 400
// stands for several; a proxy in between may send another body.
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
	return codes.Unavailable // A proxy's 404 says nothing about a secret.
}

// aboutKey reports whether the failed precondition is that of the customer's key:
// it is disabled, or the service may not use it.
func aboutKey(err error) bool {
	message := secretName.ReplaceAllString(strings.ToLower(err.Error()), "")
	return strings.Contains(message, "kms") || strings.Contains(message, "cryptokey")
}

// secretName matches a secret's name in a message: a name can contain any word.
var secretName = regexp.MustCompile(`projects/[a-z0-9.:-]+(/locations/[a-z0-9-]+)?/secrets/[a-z0-9_-]+`)

// sealed keeps an error reachable with errors.As but not with errors.Is.
type sealed struct{ err error }

func (s sealed) Error() string      { return "the client's own timeout" }
func (s sealed) As(target any) bool { return errors.As(s.err, target) }
