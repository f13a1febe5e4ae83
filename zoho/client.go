// An HTTP client whose requests carry a valid token.

package zoho

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/retryafter"
	"example.com/tokenstore/tokensource"
)

// Client returns an HTTP client for the API, on behalf of one user. See [Transport].
func Client(source *tokensource.Source, user string) *http.Client {
	return &http.Client{Transport: &Transport{Source: source, Query: tokenstore.OAuthToken{UserName: user}}}
}

// Transport is an http.RoundTripper that gives each request a valid access token, in
// Zoho's own form of the header. A request whose URL is only a path, such as
// "/crm/v8/Leads", goes to the API domain of the token. Any other must go to a host of
// the token's data centre, over https; a credential is sent nowhere else.
//
// After 401 the token is renewed once and the request is sent again, unless the API says
// that a scope is missing, which a new access token would lack too. After 429 the
// Transport keeps the time that Zoho names: requests wait until then, if that is not
// longer than MaxWait, and the one that was refused is sent again once. A request whose
// body cannot be read again (see http.Request.GetBody) is sent once, and the
// response is returned as it is.
//
// It uses the request's context, and it is safe for concurrent use. A Transport must not be
// copied.
type Transport struct {
	// Source gives the token that Query finds.
	Source *tokensource.Source
	Query  tokenstore.OAuthToken
	// Base sends the requests; nil means http.DefaultTransport.
	Base http.RoundTripper
	// MaxWait is the longest wait for a throttled API; zero means a minute. A longer one
	// gives an error that matches tokensource.ErrThrottled.
	MaxWait time.Duration

	mu    sync.Mutex
	until time.Time // Before it the API refuses requests.
}

var _ http.RoundTripper = (*Transport)(nil)

// RoundTrip sends one request. See [Transport].
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if t.Source == nil {
		closeBody(request)
		return nil, invalid("Transport.Source must be set")
	}
	token, err := t.Source.Token(ctx, t.Query)
	if err != nil && !errors.Is(err, tokensource.ErrNotSaved) { // Such a token is valid all the same.
		closeBody(request)
		return nil, err
	}
	response, err := t.send(request, token, false)
	if err != nil || !resendable(request) {
		return response, err
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		if lacksScope(response) {
			return response, nil
		}
		renewed, err := t.Source.Renew(ctx, token)
		if err != nil && !errors.Is(err, tokensource.ErrNotSaved) || renewed.AccessToken == token.AccessToken {
			return response, nil // The API's own answer says more.
		}
		token = renewed
	case http.StatusTooManyRequests:
	default:
		return response, nil
	}
	drain(response)
	return t.send(request, token, true)
}

// send sends the request once with a token, after the time that the API has named.
func (t *Transport) send(request *http.Request, token tokenstore.OAuthToken, again bool) (*http.Response, error) {
	own, err := t.prepare(request, token)
	if err == nil {
		err = t.wait(request.Context())
	}
	switch {
	case again && err == nil && request.GetBody != nil:
		own.Body, err = request.GetBody()
	case !again && err != nil:
		closeBody(request)
	}
	if err != nil {
		return nil, err
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(own)
	if err == nil && response.StatusCode == http.StatusTooManyRequests {
		t.throttle(response)
	}
	return response, err
}

// prepare returns a copy of the request with the header and, if it has none, the host.
func (t *Transport) prepare(request *http.Request, token tokenstore.OAuthToken) (*http.Request, error) {
	d, err := ByAPIDomain(token.APIDomain)
	if err != nil {
		return nil, misconfigured("the token's %v", err)
	}
	own := request.Clone(request.Context())
	if own.URL.Host == "" {
		base, err := hostOf(token.APIDomain)
		if err != nil {
			return nil, misconfigured("the token's API domain is %v", err)
		}
		own.URL.Scheme, own.URL.Host, own.Host = "https", base, ""
	}
	if own.URL.Scheme != "https" || !d.serves(own.URL.Hostname()) {
		return nil, faultf("a token of data centre %q is not sent to %s://%s", d, own.URL.Scheme, own.URL.Host)
	}
	authorize(own, token)
	return own, nil
}

// serves reports whether a host is one of the data centre: of its API or its products.
func (d DataCenter) serves(host string) bool {
	h, err := d.hosts()
	if err != nil {
		return false
	}
	host = strings.ToLower(host)
	products := strings.TrimPrefix(h.accounts, "accounts.")
	return strings.HasSuffix("."+host, "."+h.apis) || strings.HasSuffix("."+host, "."+products)
}

// resendable reports whether a request can be sent once more.
func resendable(request *http.Request) bool {
	return request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
}

// lacksScope reports whether the API refused a token for want of a scope, and leaves the
// response as it was. (PostHog/posthog#78477: status 401 with the code OAUTH_SCOPE_MISMATCH.)
func lacksScope(response *http.Response) bool {
	head, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), rest}
	var refusal struct {
		Code string `json:"code"`
	}
	return err == nil && json.NewDecoder(bytes.NewReader(head)).Decode(&refusal) == nil && refusal.Code == "OAUTH_SCOPE_MISMATCH"
}

// throttle keeps the time that a refusal names.
func (t *Transport) throttle(response *http.Response) {
	now := time.Now()
	until := retryafter.Time(response.Header, now)
	if earliest := now.Add(time.Second); until.Before(earliest) {
		until = earliest
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if until.After(t.until) {
		t.until = until
	}
}

// wait waits until the API takes requests again.
func (t *Transport) wait(ctx context.Context) error {
	t.mu.Lock()
	until := t.until
	t.mu.Unlock()
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	longest := t.MaxWait
	if longest == 0 {
		longest = time.Minute
	}
	if left > longest {
		return throttled(until, "the API refuses requests for now")
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// drain reads a response to its end, so that its connection can be used again.
func drain(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, maxReply)
	_ = response.Body.Close()
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
