// Every call of the service goes through call, which turns its error into one of
// package driver's. It is the one place that decides what a failed call may still have
// done, and what an error may say without quoting the service.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/escape"
)

// attempts is what the client's retryer did during one call. It is a middleware inside the
// retryer, without closures: each call pays for every allocation here.
type attempts struct {
	ran  bool // the SDK's middleware ran; fakes have none
	sent bool // at least one request was signed and sent
	lost bool // an attempt ended without a reply: it may have been applied

	options [2]func(*secretsmanager.Options) // those of the call
}

// watch adds the middleware to one call. An attempt whose reply was lost may have been
// applied; if the retry is then refused, the call's own first attempt may be the reason.
func (t *attempts) watch(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, t.insert)
}

// watchRead adds what a call that only reads needs: whether it was sent.
func (t *attempts) watchRead(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, t.insertSending)
}

func (t *attempts) insert(stack *middleware.Stack) error {
	if stack.Finalize.Insert(t, "Retry", middleware.After) != nil {
		if err := stack.Finalize.Add(t, middleware.Before); err != nil {
			return err
		}
	}
	return t.insertSending(stack)
}

func (t *attempts) insertSending(stack *middleware.Stack) error {
	t.ran = true
	return stack.Finalize.Add((*sending)(t), middleware.After)
}

// ID names the middleware.
func (*attempts) ID() string { return "tokenstoreAttempt" }

// HandleFinalize is called for each attempt.
func (t *attempts) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleFinalize(ctx, in)
	if err != nil && t.sent {
		if kind, _ := classify(err); errors.Is(kind, driver.ErrUnavailable) {
			t.lost = true
		}
	}
	return out, metadata, err
}

// sending is the middleware behind all others, when the request has been signed.
type sending attempts

// ID names the middleware.
func (*sending) ID() string { return "tokenstoreSent" }

// HandleFinalize notes that a request is sent.
func (t *sending) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	t.sent = true
	return next.HandleFinalize(ctx, in)
}

// operation is a method of the client.
type operation[In, Out any] func(context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error)

// call makes one call of the service.
func call[In, Out any](ctx context.Context, op string, do operation[In, Out], in *In, options ...func(*secretsmanager.Options)) (*Out, *fault) {
	return watched(ctx, op, do, in, (*attempts).watch, options...)
}

// callRead makes one call of the service that only reads, of which a lost attempt is of no
// interest. Every find pays for what is watched.
func callRead[In, Out any](ctx context.Context, op string, do operation[In, Out], in *In) (*Out, *fault) {
	return watched(ctx, op, do, in, (*attempts).watchRead)
}

func watched[In, Out any](
	ctx context.Context, op string, do operation[In, Out], in *In,
	watch func(*attempts, *secretsmanager.Options), options ...func(*secretsmanager.Options),
) (*Out, *fault) {
	t := &attempts{}
	out, err := do(ctx, in, append(append(t.options[:0], options...), func(o *secretsmanager.Options) { watch(t, o) })...)
	if err != nil {
		return nil, newFault(ctx, op, err, t)
	}
	return out, nil
}

// once keeps the client from repeating a call.
func once(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }

// fault is a call that failed.
type fault struct {
	op   string // the service's operation
	code string // the service's error code, or what else can be said safely
	kind error  // a sentinel of package driver, or the context's error
	lost bool   // an attempt may have been applied without a reply
	err  error
}

// Error holds neither the service's message nor anything of the request.
func (f *fault) Error() string { return f.kind.Error() + ": " + f.op + ": " + f.code }

// Unwrap returns the kind and the SDK's error.
func (f *fault) Unwrap() []error { return []error{f.kind, f.err} }

// give returns the fault as an error for the caller: a context's error unchanged, and
// "not found" as a conflict for a writer.
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

// container returns the fault of a call that names no secret or one that does not exist
// yet: what it did not find is never a secret.
func (f *fault) container() error {
	if errors.Is(f.kind, driver.ErrNotFound) {
		return fmt.Errorf("%w; check the endpoint, the region and the KMS key", f.as(driver.ErrNoContainer))
	}
	return f.give()
}

// as returns the fault with another kind.
func (f *fault) as(kind error) error {
	g := *f
	g.kind = kind
	return g.give()
}

// unknown returns the error for a write that may have been applied, when looking for it
// failed with f.
func (f *fault) unknown(write *fault) error {
	if f.ended() {
		return f.kind
	}
	return write.as(driver.ErrUnavailable)
}

// newFault classifies the error of a call.
func newFault(ctx context.Context, op string, err error, t *attempts) *fault {
	f := &fault{op: op, err: err, lost: t.lost}
	if cause := ctx.Err(); cause != nil && (errors.Is(err, cause) || isCanceled(err)) {
		f.kind, f.code, f.lost = cause, "the context ended", true
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// A timeout of the client itself, not to be confused with the caller's.
		f.err = sealed{"the client's own timeout", err}
	}
	f.kind, f.code = classify(err)
	var api smithy.APIError
	if t.ran && !t.sent && !errors.As(err, &api) {
		f.kind, f.code = unsigned(err)
		return f
	}
	f.lost = f.lost || errors.Is(f.kind, driver.ErrUnavailable)
	return f
}

// unsigned returns the sentinel, and a safe description, for a call that was not sent
// because there were no credentials to sign it.
func unsigned(err error) (kind error, code string) { //nolint:staticcheck // The kind is a result, not a failure of the function.
	var region *aws.MissingRegionError
	var network net.Error
	switch {
	case errors.As(err, &region):
		return driver.ErrInvalid, "no region; set AWS_REGION or the client's region"
	case noSuchRegion(err):
		return driver.ErrNoContainer, "no credentials: AWS has no host for them in this region; check the region"
	case status(err) == http.StatusUnauthorized, status(err) == http.StatusForbidden:
		return driver.ErrDenied, "no credentials: their source refuses them with status " + strconv.Itoa(status(err)) +
			"; configure credentials or give this machine a role"
	case errors.As(err, &network):
		return driver.ErrUnavailable, "no credentials: their source does not answer: " + networkText(err)
	case status(err) >= http.StatusInternalServerError:
		return driver.ErrUnavailable, "no credentials: their source answers with status " + strconv.Itoa(status(err))
	}
	return driver.ErrDenied, "no credentials, or they cannot be refreshed; configure the environment, a profile or a role"
}

// isCanceled reports whether the SDK says that the context ended.
func isCanceled(err error) bool {
	var c *aws.RequestCanceledError
	var s *smithy.CanceledError
	return errors.As(err, &c) || errors.As(err, &s)
}

// sealed keeps an error reachable with errors.As but not with errors.Is, and has a text
// of its own.
type sealed struct {
	text string
	err  error
}

func (s sealed) Error() string      { return s.text }
func (s sealed) As(target any) bool { return errors.As(s.err, target) }

// credentialCodes are the codes of missing, expired or wrong credentials, and
// forbiddenCodes those that need another policy. The service's model has none of them.
var credentialCodes = map[string]bool{
	"UnrecognizedClientException": true,
	"InvalidClientTokenId":        true, "InvalidSignatureException": true, "SignatureDoesNotMatch": true,
	"IncompleteSignature": true, "IncompleteSignatureException": true, "MissingAuthenticationToken": true,
	"MissingAuthenticationTokenException": true, "ExpiredToken": true, "ExpiredTokenException": true,
	"OptInRequired":  true,
	"RequestExpired": true, "RequestTimeTooSkewed": true, // The clock is wrong.
}

var forbiddenCodes = map[string]bool{
	"AccessDeniedException": true, "AccessDenied": true, "NotAuthorized": true, "UnauthorizedOperation": true,
}

// unansweredCodes are the codes of requests that may have been applied.
var unansweredCodes = map[string]bool{
	"RequestTimeout": true, "RequestTimeoutException": true, "RequestAbortedException": true,
}

// classify returns the sentinel for an error of the SDK, and a description that quotes
// nothing.
func classify(err error) (kind error, code string) { //nolint:staticcheck // The kind is a result, not a failure of the function.
	var api smithy.APIError
	if !errors.As(err, &api) {
		if kind := classifyStatus(status(err)); kind != nil {
			return kind, "status " + strconv.Itoa(status(err))
		}
		if noSuchRegion(err) {
			return driver.ErrNoContainer, "AWS has no host for this region; check the region"
		}
		return driver.ErrUnavailable, networkText(err)
	}
	code = safeCode(api.ErrorCode())
	var quota *types.LimitExceededException
	switch {
	case errors.As(err, &quota) || code == quotaCode:
		return driver.ErrQuota, code
	case credentialCodes[code], forbiddenCodes[code]:
		return driver.ErrDenied, code
	case unansweredCodes[code]:
		return driver.ErrUnavailable, code
	}
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return driver.ErrThrottled, code
	}
	return classifyTyped(err, api), code
}

// safeCode returns an error code if it looks like one of AWS. Anything else that a server
// sends instead may be sensitive.
func safeCode(code string) string {
	for i := range len(code) {
		if c := code[i]; !escape.Alphanumeric(c) && c != '.' && c != '_' && c != '-' || i == 64 {
			return "an error without a usable code; check the endpoint and any proxy"
		}
	}
	return code
}

// noSuchRegion reports whether the service's host at AWS does not exist: the region does
// not exist, or lacks the service.
func noSuchRegion(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound && ofAWS(dns.Name)
}

const quotaCode = "LimitExceededException"

// classifyTyped classifies the errors in the service's model.
func classifyTyped(err error, api smithy.APIError) error {
	var (
		missing  *types.ResourceNotFoundException
		exists   *types.ResourceExistsException
		internal *types.InternalServiceError
		encrypt  *types.EncryptionFailure
		decrypt  *types.DecryptionFailure
		unmet    *types.PreconditionNotMetException
	)
	switch {
	case errors.As(err, &missing):
		return driver.ErrNotFound
	case errors.As(err, &exists), errors.As(err, &unmet):
		return driver.ErrConflict
	case errors.As(err, &encrypt), errors.As(err, &decrypt):
		return driver.ErrDenied
	case errors.As(err, &internal), api.ErrorFault() == smithy.FaultServer:
		return driver.ErrUnavailable
	}
	if kind := classifyStatus(status(err)); kind != nil {
		return kind
	}
	if foreignCodes[api.ErrorCode()] || safeCode(api.ErrorCode()) != api.ErrorCode() {
		return driver.ErrNoContainer // The server is not Secrets Manager.
	}
	return driver.ErrInvalid
}

// foreignCodes are the codes of a server that does not know the operation, and the SDK's
// for a reply without a code.
var foreignCodes = map[string]bool{
	"": true, "UnknownError": true, "UnknownOperationException": true, "UnknownOperation": true,
}

// classifyStatus classifies errors by their HTTP status, such as those of a proxy; nil if
// it says nothing.
func classifyStatus(status int) error {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return driver.ErrDenied
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return driver.ErrNoContainer // The server is not Secrets Manager.
	case status == http.StatusRequestEntityTooLarge:
		return driver.ErrTooLarge
	case status == http.StatusTooManyRequests:
		return driver.ErrThrottled
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return driver.ErrUnavailable
	}
	return nil
}

// status returns the HTTP status of the reply, or zero without one.
func status(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// networkText describes why there was no reply: the host, and the system's error. Other
// errors may hold a proxy's text, and are left out.
func networkText(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "no address for host " + dns.Name
	}
	text := "no usable reply"
	var op *net.OpError
	if errors.As(err, &op) {
		text = op.Op
		if op.Addr != nil {
			text += " " + op.Addr.String()
		}
	}
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		text += ": " + number.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		text += ": timed out"
	}
	return text
}

// saysNoVersion reports whether the service says that a secret exists but has no such
// version.
func (f *fault) saysNoVersion() bool {
	var missing *types.ResourceNotFoundException
	return errors.As(f.err, &missing) && noVersion(missing)
}

// noVersion distinguishes a secret without the version from one that does not exist.
// (Seen: "Secrets Manager can't find the specified secret value for staging label: …" and
// "Secrets Manager can't find the specified secret.")
func noVersion(missing *types.ResourceNotFoundException) bool {
	return strings.Contains(strings.ToLower(missing.ErrorMessage()), "staging label")
}

// isParameter reports whether the service refused a parameter. For a move of AWSCURRENT
// that means that the label is on another version.
func (f *fault) isParameter() bool {
	var p *types.InvalidParameterException
	return errors.As(f.err, &p)
}

// isTaken reports whether the name of a new secret, or the ID of a new version, is in use.
func (f *fault) isTaken() bool {
	var e *types.ResourceExistsException
	return errors.As(f.err, &e)
}

// isRequest reports whether the state of the secret forbids the call; usually it is
// scheduled for deletion.
func (f *fault) isRequest() bool {
	var r *types.InvalidRequestException
	return errors.As(f.err, &r)
}

// saysDeleted reports whether the service's message mentions deletion. If it does not,
// DescribeSecret decides.
func (f *fault) saysDeleted() bool {
	var r *types.InvalidRequestException
	return errors.As(f.err, &r) && strings.Contains(strings.ToLower(r.ErrorMessage()), "delet")
}
