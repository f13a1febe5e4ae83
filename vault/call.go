// Calls to the server: the token they carry, the client's retries, and the meaning of a
// reply or failure in terms of package driver. Every call passes through here, so that no
// error quotes the server and no token goes to another host.

package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
)

// link makes the calls. It has clones of the caller's client, which never change after
// they are made; anything that varies by call, such as the token, is set on the request.
type link struct {
	source *api.Client // the caller's: provides the token if there is no session
	client *api.Client
	once   *api.Client // makes one attempt only

	namespace string
	timeout   time.Duration // for one call; zero: none
	session   *Session
	reads     Reads
}

func newLink(source *api.Client, c config) (*link, error) {
	l := &link{source: source, timeout: source.ClientTimeout(), session: c.session, reads: c.reads}
	var err error
	if l.client, err = clientClone(source); err != nil {
		return nil, err
	}
	// With a timeout the client cancels a raw call on return, before its body is read.
	l.client.SetClientTimeout(0)
	if c.namespace != "" {
		l.client.SetNamespace(c.namespace)
	}
	if c.reads == ReadsOwnWrites {
		l.client.SetReadYourWrites(true)
	}
	l.namespace = l.client.Namespace()
	if l.once, err = l.client.CloneWithHeaders(); err != nil {
		return nil, errNotCloned
	}
	l.once.ClearToken() // The clone takes one from the environment.
	l.once.SetMaxRetries(0)
	if c.session == nil && c.login != nil {
		session, err := NewSession(source, c.login)
		if err != nil {
			return nil, err
		}
		l.session = session
	}
	return l, nil
}

var errNotCloned = errors.New("the client cannot be cloned: check its configuration and the VAULT_ variables")

// clientClone returns a clone of the caller's client, without its token. It does not wait
// for a sealed server, and follows no redirect to another host.
func clientClone(source *api.Client) (*api.Client, error) {
	c := source.CloneConfig() // Has an HTTP client of its own, with the caller's transport.
	// The API's client follows one redirect itself. Package net/http would take the token
	// to any host.
	c.HttpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	clone, err := api.NewClient(c)
	if err != nil {
		return nil, errNotCloned
	}
	clone.SetHeaders(source.Headers())
	clone.ClearToken()
	retry := source.CheckRetry()
	if retry == nil {
		retry = api.DefaultRetryPolicy
	}
	clone.SetCheckRetry(func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		made, counted := ctx.Value(triesKey{}).(*tries)
		if err == nil && resp != nil && resp.StatusCode/100 == 3 {
			if leadsElsewhere(resp) {
				return false, errElsewhere
			}
			if counted { // A redirect is not an attempt: nothing was applied.
				made.sent.Add(-1)
			}
		}
		if err == nil && resp != nil && resp.StatusCode == http.StatusServiceUnavailable && bodySays(resp, sealed) {
			return false, nil
		}
		if counted && made.mayBeDone(resp, err) {
			made.lost.Store(true)
		}
		return retry(ctx, resp, err)
	})
	return clone, nil
}

// errElsewhere is the error of a redirect that is not followed, since its target would
// get the token.
var errElsewhere = errors.New("the server redirects to another host, port or scheme, to which no token is sent: " +
	"set the client's address (VAULT_ADDR) to the server's own")

// leadsElsewhere reports whether a reply redirects to anything but the same host and port,
// or the same host with TLS instead of without.
func leadsElsewhere(resp *http.Response) bool {
	to, err := resp.Location()
	if err != nil || resp.Request == nil { // Nothing to follow.
		return false
	}
	from := resp.Request.URL
	if from.Scheme == "http" && to.Scheme == "https" {
		return !strings.EqualFold(from.Hostname(), to.Hostname())
	}
	return from.Scheme != to.Scheme || !strings.EqualFold(from.Host, to.Host)
}

// tries counts the client's attempts at one request.
type tries struct {
	sent atomic.Int64
	lost atomic.Bool
}

// triesKey is the key of a request's tries in its context.
type triesKey struct{}

// mayBeDone reports whether an attempt with this result may have been applied.
func (t *tries) mayBeDone(resp *http.Response, err error) bool {
	if err != nil || resp == nil {
		return t.sent.Load() > 0
	}
	if resp.StatusCode < http.StatusInternalServerError {
		return false
	}
	for _, k := range known { // Some refusals have a status of 500.
		if k.kind != nil && !errors.Is(k.kind, driver.ErrUnavailable) && bodySays(resp, k.words) {
			return false
		}
	}
	return true
}

// maxErrorBody is larger than any error from Vault itself.
const maxErrorBody = 16 << 10

// bodySays searches a reply's body without consuming it.
func bodySays(resp *http.Response, words string) bool {
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	return err == nil && strings.Contains(string(head), words)
}

// call is one request, below "/v1/".
type call struct {
	op     string // for errors
	method string
	path   string
	params url.Values
	body   []byte
	once   bool // never sent twice
	root   bool // about the server: without a token, outside of all namespaces
}

// reply is what the server answered. A status of 404 is not an error if it is the engine's
// own answer about the path; see [absence].
type reply struct {
	status   int
	body     []byte
	attempts int64 // how often the request was sent
	lost     bool  // an attempt may have been applied although its reply was lost
}

const (
	upgradeTries = 10
	upgradeWait  = 300 * time.Millisecond
)

// do makes a call. It waits a few seconds for a mount that is being upgraded, and replaces
// a refused token once if there is another.
func (l *link) do(ctx context.Context, c call) (reply, error) {
	var sent int64
	var lost bool
	for try := 1; ; try++ {
		r, err := l.authorized(ctx, c)
		sent += r.attempts
		lost = lost || r.lost
		r.attempts, r.lost = sent, lost
		if err == nil || !says(err, upgrading) || try == upgradeTries {
			return r, err
		}
		if err := pause.For(ctx, upgradeWait); err != nil {
			return r, err
		}
	}
}

func (l *link) authorized(ctx context.Context, c call) (reply, error) {
	if c.root {
		return l.send(ctx, c, "")
	}
	token, err := l.token(ctx)
	if err != nil {
		return reply{}, err
	}
	r, err := l.send(ctx, c, token)
	if !errors.Is(err, driver.ErrDenied) {
		return r, err
	}
	other, loginErr := l.tokenInsteadOf(ctx, token)
	if loginErr != nil || other == token {
		return r, err
	}
	again, err := l.send(ctx, c, other)
	again.attempts += r.attempts
	again.lost = again.lost || r.lost
	return again, err
}

func (l *link) token(ctx context.Context) (string, error) {
	if l.session == nil {
		return l.source.Token(), nil
	}
	return l.session.Token(ctx)
}

func (l *link) tokenInsteadOf(ctx context.Context, refused string) (string, error) {
	if l.session == nil {
		return l.source.Token(), nil
	}
	return l.session.replace(ctx, refused)
}

// send makes one request, which the client may retry.
func (l *link) send(ctx context.Context, c call, token string) (reply, error) {
	if err := sendable(token); err != nil {
		return reply{}, err
	}
	client := l.client
	if c.once {
		client = l.once
	}
	var t tries
	traced := httptrace.WithClientTrace(context.WithValue(ctx, triesKey{}, &t), &httptrace.ClientTrace{
		WroteHeaders: func() { t.sent.Add(1) },
	})
	if l.timeout > 0 {
		var cancel context.CancelFunc
		traced, cancel = context.WithTimeout(traced, l.timeout)
		defer cancel()
	}
	logical := client.WithRequestCallbacks(func(r *api.Request) {
		r.ClientToken = token
		if c.root {
			r.Headers.Del(api.NamespaceHeaderName)
		}
		if c.body != nil { // After a redirect the client encodes the body again, from this.
			r.Obj = json.RawMessage(c.body)
		}
		switch {
		case c.method == http.MethodGet && l.reads == ReadsActiveNode && !c.root:
			api.ForwardAlways()(r)
		case c.method == http.MethodPatch: // The client sets another type, which Vault refuses.
			r.Headers.Set("Content-Type", "application/merge-patch+json")
		}
	}).Logical()
	var resp *api.Response
	var err error
	switch c.method {
	case http.MethodGet:
		resp, err = logical.ReadRawWithDataWithContext(traced, c.path, c.params)
	case http.MethodDelete:
		resp, err = logical.DeleteRawWithContext(traced, c.path)
	case http.MethodPatch:
		resp, err = logical.PatchRawWithContext(traced, c.path, c.body)
	default:
		resp, err = logical.WriteRawWithContext(traced, c.path, c.body)
	}
	r, err := received(ctx, c.op, c.method, resp, err)
	r.attempts, r.lost = t.sent.Load(), t.lost.Load()
	return r, err
}

// sendable refuses a token that no header can hold, which otherwise would look like a
// server that does not answer.
func sendable(token string) error {
	if strings.ContainsFunc(token, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return &failure{kind: driver.ErrDenied, op: "use the token", text: "the token has a line break or another unprintable character: " +
			"remove it from VAULT_TOKEN or the token's source"}
	}
	return nil
}

func received(ctx context.Context, op, method string, resp *api.Response, err error) (reply, error) {
	var r reply
	if resp != nil && resp.Response != nil {
		defer resp.Body.Close()
		r.status = resp.StatusCode
		body, readErr := io.ReadAll(resp.Body)
		if err == nil {
			err = readErr
		}
		r.body = body
	}
	switch {
	case r.status == http.StatusNotFound && (err == nil || statusOf(err) == http.StatusNotFound):
		return r, absence(op, method, r.body, err)
	case err == nil && r.status/100 == 3: // A second redirect, one of another kind, or a client that follows none.
		return r, &failure{kind: driver.ErrInvalid, op: op, text: fmt.Sprintf("the server redirects in a way that is not followed (status %d): "+
			"set the client's address (VAULT_ADDR) to the server's own", r.status)}
	case err == nil:
		return r, nil
	}
	return r, classify(ctx, op, err)
}

// absence returns nil if a reply of status 404 is the engine's own answer about a path
// that holds nothing, or nothing any more. Any other 404 says nothing about a secret: the
// namespace or mount does not exist, or another server answers.
func absence(op, method string, body []byte, err error) error {
	if method == http.MethodPatch && len(body) == 0 { // Nothing to patch.
		return nil
	}
	var said struct {
		Errors   *[]string `json:"errors"`
		Warnings []string  `json:"warnings"`
		Data     struct {
			Metadata *struct{} `json:"metadata"` // of a read
			Version  *int64    `json:"version"`  // of a patch
		} `json:"data"`
	}
	if json.Unmarshal(body, &said) != nil {
		return unusable(op)
	}
	var reply *api.ResponseError
	switch {
	case (said.Data.Metadata != nil || said.Data.Version != nil) && method != http.MethodPut: // A version that was deleted.
		return nil
	case said.Errors != nil && len(*said.Errors) == 0 && (method == http.MethodGet || method == http.MethodPatch):
		return nil
	case said.Errors == nil && len(said.Warnings) == 0, !errors.As(err, &reply):
		return unusable(op)
	}
	return refusal(op, reply, driver.ErrNoContainer)
}

// failure is the error of a call. Its text has the kind, the operation and the status, and
// of the server's words only those known to hold neither a path nor data.
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

// known are the server's phrases that distinguish errors of one status. The first match
// decides; with a nil kind the status does.
var known = []struct {
	words string
	kind  error
}{
	{casMismatch, driver.ErrConflict},
	{upgrading, driver.ErrUnavailable},
	{noHandler, ErrNotKV2},
	{noNamespace, driver.ErrNoContainer},
	{"missing client token", driver.ErrDenied},
	{"permission denied", driver.ErrDenied},
	{"value being too large", driver.ErrTooLarge},
	{"request body too large", driver.ErrTooLarge},
	{"refused JSON input due to high complexity", driver.ErrTooLarge}, // OpenBao: too many strings, or too much memory.
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
	noNamespace = "namespace not found"
	sealed      = "Vault is sealed"
)

// classify turns the client's error of one call into one of this package. It returns the
// error of the caller's own context unchanged.
func classify(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var reply *api.ResponseError
	if errors.As(err, &reply) {
		return refusal(op, reply, kindOf(reply.StatusCode))
	}
	f := &failure{kind: driver.ErrUnavailable, op: op, cause: err}
	var address *url.Error // Its text has the path and the address's user.
	if errors.As(err, &address) {
		f.cause = address.Err
	}
	switch {
	case errors.Is(err, errElsewhere):
		f.kind, f.text = driver.ErrInvalid, errElsewhere.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// The client's own limit, not to be confused with the caller's context.
		f.text, f.cause = "no answer within the client's timeout; retry later", nil
	case address != nil:
		f.text, f.kind = transport(address.Err)
	default:
		f.text = "no usable answer; check the client's address (VAULT_ADDR) and any proxy"
	}
	return f
}

// transport returns a description and the kind of an error of package net/http, whose own
// text may quote what another party has sent.
func transport(err error) (text string, kind error) {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var number syscall.Errno
	var timeout net.Error
	switch said := err.Error(); {
	case errors.As(err, &name):
		return "the server's host name cannot be resolved; check the client's address (VAULT_ADDR)", driver.ErrUnavailable
	case errors.As(err, &certificate):
		return "the server's certificate is not trusted (set VAULT_CACERT to its CA): " + certificate.Err.Error(), driver.ErrUnavailable
	case errors.As(err, &number):
		return number.Error(), driver.ErrUnavailable
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout", driver.ErrUnavailable
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection; retry later", driver.ErrUnavailable
	case strings.Contains(said, "server gave HTTP response to HTTPS client"):
		return "the server does not use TLS, but the client's address (VAULT_ADDR) begins with https: correct it, or enable TLS on the server", driver.ErrInvalid
	case strings.Contains(said, "invalid header field"):
		return "a header of the client, such as the namespace, has a line break or another invalid character: remove it", driver.ErrInvalid
	case strings.Contains(said, "unsupported protocol scheme"), strings.Contains(said, "no Host in request URL"):
		return "the client's address (VAULT_ADDR) must have the form https://host:port", driver.ErrInvalid
	}
	return "the connection failed; check the client's address (VAULT_ADDR) and any proxy", driver.ErrUnavailable
}

// withoutURL returns a reply without its URL, which has the path and may have the
// address's user.
func withoutURL(reply *api.ResponseError) *api.ResponseError {
	shown := *reply
	shown.URL = "(left out)"
	return &shown
}

// refusal returns the error of a reply with an error status, of the given kind unless the
// server's words imply another.
func refusal(op string, reply *api.ResponseError, kind error) error {
	f := &failure{op: op, kind: kind, cause: withoutURL(reply)}
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

// Statuses of Vault Enterprise's standbys that serve no requests.
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
		http.StatusPreconditionFailed: // A standby is not up to date yet.
		return driver.ErrUnavailable
	}
	if status >= http.StatusInternalServerError {
		return driver.ErrUnavailable
	}
	return nil
}

// says reports whether err is a reply with these words.
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

// undecided reports whether a write that failed with err may still have been applied.
func undecided(err error) bool {
	return errors.Is(err, driver.ErrUnavailable) && !says(err, sealed) && !says(err, upgrading)
}
