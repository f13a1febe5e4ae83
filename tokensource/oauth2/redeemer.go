// Package oauth2 connects package tokensource with golang.org/x/oauth2: [NewRedeemer] makes any
// oauth2.Config a [tokensource.Redeemer], and [TokenSource] makes a Source an oauth2.TokenSource.
// It is apart from tokensource so that x/oauth2 is not in everybody's program.
//
// Programs that import both packages of this name give one another name:
//
//	import (
//		"golang.org/x/oauth2"
//
//		"example.com/tokenstore/tokensource"
//		tokenoauth2 "example.com/tokenstore/tokensource/oauth2"
//	)
//
//	source, err := tokensource.New(store, tokenoauth2.NewRedeemer(config), tokensource.WithReuse(reuse))
//
// # Context
//
// A redemption runs on a context of the Source's own, which has the values of the context with
// which it was begun and outlives it. x/oauth2 looks for an *http.Client in it, under the key
// oauth2.HTTPClient. That is the caller's that happens to begin the refresh, so a program that
// needs a certain client gives it to [WithHTTPClient], which decides.
package oauth2

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unsent"
	"example.com/tokenstore/tokensource"
)

// Redeemer redeems refresh tokens and authorization codes at the token endpoint of an
// oauth2.Config. It is safe for concurrent use.
type Redeemer struct {
	config oauth2.Config
	client *http.Client
	now    func() time.Time
	style  atomic.Int64 // an oauth2.AuthStyle that has worked
}

var _ tokensource.Redeemer = (*Redeemer)(nil)

// Option is an option of [NewRedeemer].
type Option func(*Redeemer)

// WithHTTPClient sets the client for requests to the token endpoint. It must not retry a POST
// that may have been received. Without it, the client in the context is used, and if there is
// none, http.DefaultClient.
func WithHTTPClient(client *http.Client) Option { return func(r *Redeemer) { r.client = client } }

// WithClock sets the clock from which a token's expiry is reckoned. It is for tests that give
// tokensource.WithClock too; nil or no option means time.Now.
func WithClock(now func() time.Time) Option {
	return func(r *Redeemer) {
		if now != nil {
			r.now = now
		}
	}
}

// NewRedeemer returns a Redeemer for the client and the token endpoint of c. It uses nothing else
// of c but the redirect URL, which an authorization code is redeemed with.
//
// Where c leaves the client's ID, its secret or the redirect URL empty, those of the stored token
// are used. A token of another client than c's is not sent; the error matches
// [tokensource.ErrMisconfigured].
//
// With oauth2.AuthStyleAutoDetect, x/oauth2 answers every failure of a first request with a second
// one, which spends a rotating refresh token twice if the first got through. This Redeemer asks
// again only after an answer that shows that nothing was redeemed, and remembers what has worked.
// It saves the extra request to set the AuthStyle.
//
// Errors match a kind of package tokensource by these rules, and are unknown otherwise:
//
//   - ErrNeedsConsent: invalid_grant, and what providers send in its place: invalid_code of Zoho,
//     bad_refresh_token and bad_verification_code of GitHub, invalid_refresh_token of Slack.
//   - ErrMisconfigured: invalid_client and the other refusals of a client or of a form of request.
//   - ErrThrottled: status 429, slow_down, a 503 that says when to come back, and the Access
//     Denied of Zoho. The time is that of Retry-After.
//   - ErrNotSent: no connection was made.
func NewRedeemer(c *oauth2.Config, options ...Option) *Redeemer {
	r := &Redeemer{config: oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Endpoint: c.Endpoint, RedirectURL: c.RedirectURL,
	}, now: time.Now}
	for _, o := range options {
		o(r)
	}
	return r
}

// Redeem redeems t's refresh token or, if it has none, its grant token. The result holds what the
// reply did, with the api_domain of Zoho if there is one.
func (r *Redeemer) Redeem(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	config := oauth2.Config{
		ClientID: r.config.ClientID, ClientSecret: r.config.ClientSecret, Endpoint: r.config.Endpoint, RedirectURL: r.config.RedirectURL,
	}
	switch {
	case config.ClientID == "":
		config.ClientID = t.ClientID
	case t.ClientID != "" && t.ClientID != config.ClientID:
		return tokenstore.OAuthToken{}, &tokensource.Error{Kind: tokensource.ErrMisconfigured, Err: errOtherClient}
	}
	if config.ClientSecret == "" {
		config.ClientSecret = t.ClientSecret
	}
	if config.RedirectURL == "" {
		config.RedirectURL = t.RedirectURL
	}
	if r.client != nil {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, r.client)
	}
	sent := r.now()
	reply, err := r.ask(ctx, &config, &t)
	if err != nil {
		return tokenstore.OAuthToken{}, r.classify(err)
	}
	got := tokenstore.OAuthToken{AccessToken: reply.AccessToken, RefreshToken: reply.RefreshToken}
	got.APIDomain, _ = reply.Extra("api_domain").(string)
	// The life begins when the reply was made, which was not before the request was sent.
	switch {
	case reply.ExpiresIn > 0:
		got.Expiry = sent.Add(time.Duration(reply.ExpiresIn) * time.Second)
	case !reply.Expiry.IsZero(): // A reply that is not JSON.
		got.Expiry = sent.Add(time.Until(reply.Expiry).Round(time.Second))
	}
	return got, nil
}

// ask sends the request, in both styles of authentication if it must.
func (r *Redeemer) ask(ctx context.Context, config *oauth2.Config, t *tokenstore.OAuthToken) (*oauth2.Token, error) {
	known := oauth2.AuthStyle(r.style.Load())
	if config.Endpoint.AuthStyle == oauth2.AuthStyleAutoDetect {
		config.Endpoint.AuthStyle = known
	}
	if config.Endpoint.AuthStyle != oauth2.AuthStyleAutoDetect {
		return r.send(ctx, config, t)
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader // RFC 6749, section 2.3.1: every server knows it.
	reply, err := r.send(ctx, config, t)
	if err != nil && refusesClient(err) {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		reply, err = r.send(ctx, config, t)
	}
	if err == nil {
		r.style.Store(int64(config.Endpoint.AuthStyle))
	}
	return reply, err
}

// send sends one request.
func (r *Redeemer) send(ctx context.Context, config *oauth2.Config, t *tokenstore.OAuthToken) (*oauth2.Token, error) {
	ctx, connected := unsent.Trace(ctx)
	var reply *oauth2.Token
	var err error
	if t.RefreshToken != "" {
		reply, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: t.RefreshToken}).Token()
	} else {
		reply, err = config.Exchange(ctx, t.GrantToken)
	}
	if err != nil && connected.Never() {
		return nil, &noConnection{err}
	}
	return reply, err
}
