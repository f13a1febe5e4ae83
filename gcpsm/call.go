package gcpsm

// Every call of the service goes through call, which repeats what may be repeated and
// turns the error of either of Google's clients into one of package driver's. Nothing of
// a request or of the service's message is in the text of an error.

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

// API is what is needed of the service's client. *secretmanager.Client, Google's
// client, implements it, whether it comes from NewClient or NewRESTClient.
type API interface {
	AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error)
	AddSecretVersion(context.Context, *secretmanagerpb.AddSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	DestroySecretVersion(context.Context, *secretmanagerpb.DestroySecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	CreateSecret(context.Context, *secretmanagerpb.CreateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	GetSecret(context.Context, *secretmanagerpb.GetSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	UpdateSecret(context.Context, *secretmanagerpb.UpdateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	DeleteSecret(context.Context, *secretmanagerpb.DeleteSecretRequest, ...gax.CallOption) error
	ListSecrets(context.Context, *secretmanagerpb.ListSecretsRequest, ...gax.CallOption) *secretmanager.SecretIterator
}

var _ API = (*secretmanager.Client)(nil)

const (
	// tries is how often a call is made that the service refuses for a quota, or,
	// if it only reads, that got no answer.
	tries = 6
	// quotaWait and answerWait are the first pauses; they double.
	quotaWait  = 500 * time.Millisecond
	answerWait = 50 * time.Millisecond
)

// repeat says what of a failed call may be made again.
type repeat int

const (
	never        repeat = iota // Its caller looks first.
	ifUnanswered               // A read, or a write whose repetition changes nothing.
)

// operation is a method of the client.
type operation[In, Out any] func(context.Context, In, ...gax.CallOption) (Out, error)

// call makes one call of the service. The client's own retryer is switched off
// for it: it would repeat writes if somebody has set it so, and its first pause
// for a read is two seconds.
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
		wait += rand.N(wait/2 + 1) //nolint:gosec // No secret, only spread.
		if err := s.sleep(ctx, wait); err != nil {
			return out, &fault{op: op, code: contextEnded, kind: err, err: err}
		}
	}
}

// secretIn returns the ID of the secret that a request is about, and "" for one
// that is about a project: a list, and the creation of a secret.
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

// newFault classifies the error of a call about a secret, or about none.
func newFault(ctx context.Context, op, id string, err error) *fault {
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
	case f.grpc == codes.NotFound && !aboutSecret(err, id):
		f.kind, f.code = driver.ErrNoContainer, f.code+placeHint
	case f.grpc == codes.Unimplemented:
		f.code += placeHint
	}
	return f
}

const placeHint = ", but not of a secret; check the project, the location, the endpoint and the KMS key"

// kinds are the sentinels of the status codes. Any other code leaves open whether
// the call was carried out. Unimplemented is also what a gRPC client makes of a 404
// from something else than Secret Manager.
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
// of it, does not exist. The same status stands for a project, a location, a key or
// a method. (Seen: "Secret [projects/1/secrets/a] not found or has no versions." and
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

// otherPlace matches what is not there if it is not the secret.
var otherPlace = regexp.MustCompile(`project|location|region|kms|cryptokey|method|service|consumer|api|route`)

// idInName matches the ID in the name of a secret, or of a version.
var idInName = regexp.MustCompile(`/secrets/([A-Za-z0-9_-]+)`)

// quotedID returns the ID of the secret that a text names.
func quotedID(text string) string {
	if m := idInName.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// messageOf returns the service's own words, without those of the client, which may
// quote the URL that was asked for.
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
	return codes.Unknown, "no usable reply"
}

// unsigned returns the code of a call that was not sent because its credentials
// could not be had, and what can be said of it; else codes.OK.
func unsigned(err error) (codes.Code, string) {
	var source string
	var network net.Error
	var refusal *auth.Error
	var request *url.Error
	s, _ := status.FromError(err)
	switch {
	case errors.As(err, &refusal):
		// Not of the whole error: the client's own, around it, is a net.Error too.
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
		// gRPC keeps nothing of the error but its text.
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
	return codes.Unauthenticated, "no credentials, or they cannot be refreshed"
}

const noSource = "the source of the credentials gives none at present"

// sourceText matches how the errors of Google's sources of credentials begin.
var sourceText = regexp.MustCompile(`^(?:auth|credentials|impersonate|oauth2|compute|metadata|google): `)

// passingText matches the error of a source that may have credentials later: a
// request that got no answer, or the status of one.
var passingText = regexp.MustCompile(`(?:Get|Post|Put) "https?://[^"]*": |(?:cannot fetch token:|compute: Received|status code) (?:408|429|5[0-9][0-9])\b`)

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
