// An http.RoundTripper that authorizes requests.

package tokensource

import (
	"errors"
	"io"
	"net/http"

	"example.com/tokenstore"
)

// Transport returns a RoundTripper that sends requests with the access token that query finds, as
// "Authorization: Bearer", and with the request's context. base sends them; nil means
// http.DefaultTransport.
//
// After status 401 it renews the token and, if that gives another one and the body can be sent again
// (it is empty, or the request has GetBody), repeats the request once. A request that a redirect has
// sent to another host gets no token. A token that could not be saved yet is used all the same.
func (s *Source) Transport(query tokenstore.OAuthToken, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{s, query, base}
}

type transport struct {
	source *Source
	query  tokenstore.OAuthToken
	base   http.RoundTripper
}

// RoundTrip sends a request. It does not modify it, and always closes its body.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if redirected(r) {
		return t.base.RoundTrip(r)
	}
	token, err := t.source.Token(r.Context(), t.query)
	if err != nil && !errors.Is(err, ErrNotSaved) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	answer, err := t.base.RoundTrip(authorized(r, token, r.Body))
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		return answer, err
	}
	body, can := bodyAgain(r)
	if !can {
		return answer, nil
	}
	renewed, err := t.source.Renew(r.Context(), token)
	if err != nil && !errors.Is(err, ErrNotSaved) || renewed.AccessToken == token.AccessToken {
		if body != nil {
			_ = body.Close()
		}
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<16) // so that the connection can be used again
	_ = answer.Body.Close()
	return t.base.RoundTrip(authorized(r, renewed, body))
}

// authorized returns a copy of a request with a token.
func authorized(r *http.Request, token tokenstore.OAuthToken, body io.ReadCloser) *http.Request {
	r = r.Clone(r.Context())
	r.Body = body
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	return r
}

// bodyAgain returns the body once more, if that is possible.
func bodyAgain(r *http.Request) (io.ReadCloser, bool) {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return r.Body, true
	case r.GetBody == nil:
		return nil, false
	}
	body, err := r.GetBody()
	return body, err == nil
}

// redirected reports whether a redirect has led the request away from the host that it was made for.
func redirected(r *http.Request) bool {
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first != r && (first.URL.Host != r.URL.Host || first.URL.Scheme == "https" && r.URL.Scheme != "https")
}
