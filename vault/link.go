package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pause"
)

// link makes the calls. It has clones of the caller's client, which are never
// changed once they are made; what differs from call to call, such as the
// token, is set on the request.
type link struct {
	source *api.Client // the caller's: gives the token where there is no session
	client *api.Client
	once   *api.Client // makes one attempt only

	timeout time.Duration // for one call; zero: none
	session *Session
	reads   Reads
}

func newLink(source *api.Client, c config) (*link, error) {
	l := &link{source: source, timeout: source.ClientTimeout(), session: c.session, reads: c.reads}
	for _, clone := range []**api.Client{&l.client, &l.once} {
		made, err := clientClone(source)
		if err != nil {
			return nil, err
		}
		// Its raw calls end with the call, before the body has been read.
		made.SetClientTimeout(0)
		if c.namespace != "" {
			made.SetNamespace(c.namespace)
		}
		if c.reads == ReadsOwnWrites {
			made.SetReadYourWrites(true)
		}
		*clone = made
	}
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

// clientClone returns a clone of the caller's client, without its token, that
// does not wait for a sealed server.
func clientClone(source *api.Client) (*api.Client, error) {
	clone, err := source.CloneWithHeaders()
	if err != nil {
		return nil, errors.New("the client cannot be cloned: its configuration or the environment's is not valid")
	}
	clone.ClearToken()
	retry := source.CheckRetry()
	if retry == nil {
		retry = api.DefaultRetryPolicy
	}
	clone.SetCheckRetry(func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if err == nil && resp != nil && resp.StatusCode == http.StatusServiceUnavailable && bodySays(resp, sealed) {
			return false, nil
		}
		if t, ok := ctx.Value(triesKey{}).(*tries); ok && t.mayBeDone(resp, err) {
			t.lost.Store(true)
		}
		return retry(ctx, resp, err)
	})
	return clone, nil
}

// tries counts what the client makes of one request.
type tries struct {
	sent atomic.Int64
	lost atomic.Bool
}

// triesKey is the key of a request's tries in its context.
type triesKey struct{}

// mayBeDone reports whether an attempt that ended so may have been carried out.
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

// maxErrorBody is more than any error that Vault itself writes.
const maxErrorBody = 16 << 10

// bodySays looks into a reply's body without using it up.
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
}

// reply is what came back. A status of 404 is no error: Vault tells with its
// body what there is.
type reply struct {
	status   int
	body     []byte
	attempts int64 // how often the request was sent
	lost     bool  // one of the attempts may have been carried out without telling so
}

const (
	upgradeTries = 10
	upgradeWait  = 300 * time.Millisecond
)

// do makes a call. A mount under upgrade is asked again for some seconds; a
// refused token is replaced once, if there is another one.
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

// send makes one request, which the client may repeat.
func (l *link) send(ctx context.Context, c call, token string) (reply, error) {
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
		switch {
		case c.method == http.MethodGet && l.reads == ReadsActiveNode:
			api.ForwardAlways()(r)
		case c.method == http.MethodPatch: // The client names another type, which Vault refuses.
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
	r, err := received(ctx, c.op, resp, err)
	r.attempts, r.lost = t.sent.Load(), t.lost.Load()
	return r, err
}

func received(ctx context.Context, op string, resp *api.Response, err error) (reply, error) {
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
	if err == nil || r.status == http.StatusNotFound && !says(err, noHandler) {
		return r, nil
	}
	return r, classify(ctx, op, err)
}
