// Redeeming refresh tokens and grants at the accounts server of a token's data centre.

package zoho

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unsent"
	"example.com/tokenstore/tokensource"
)

// Redeemer redeems tokens for a tokensource.Source. It needs nothing but the token: its
// client ID and secret, its refresh token or else its grant, and its API domain, which
// says in which data centre. The zero value is ready to use.
type Redeemer struct {
	// HTTP sends the requests; nil means http.DefaultClient.
	HTTP *http.Client
	// DataCenter is that of tokens without an API domain, as some SDKs store them. Without
	// it, such a token gives an error that matches tokensource.ErrMisconfigured, and so does
	// one that is refused there: it may be of another data centre.
	DataCenter DataCenter
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

var _ tokensource.Redeemer = Redeemer{}

// Reuse returns tokensource.Forever: a refresh token of Zoho stays the same and may be
// redeemed again.
func (Redeemer) Reuse() time.Duration { return tokensource.Forever }

// Redeem redeems the refresh token or, if there is none, the grant. The result has what is
// new: the access token with its expiry, the refresh token of a grant, and the API domain
// if the token had none. Errors are described at the package.
func (r Redeemer) Redeem(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	d, err := r.dataCenterOf(t)
	if err != nil {
		return tokenstore.OAuthToken{}, misconfigured("%v", err)
	}
	form := url.Values{"client_id": {t.ClientID}, "client_secret": {t.ClientSecret}}
	switch {
	case t.ClientID == "" || t.ClientSecret == "":
		return tokenstore.OAuthToken{}, misconfigured("the token has no client ID or no client secret")
	case t.RefreshToken != "":
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", t.RefreshToken)
	case t.GrantToken != "":
		form.Set("grant_type", "authorization_code")
		form.Set("code", t.GrantToken)
		if t.RedirectURL != "" {
			form.Set("redirect_uri", t.RedirectURL)
		}
	default:
		return tokenstore.OAuthToken{}, needsConsent("the token has neither a refresh token nor a grant")
	}
	began := r.now() // The access token's life counts from here, so that it never ends too late.
	response, err := post(ctx, r.HTTP, d.AccountsURL()+"/oauth/v2/token", form)
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := readReply(response, r.now())
	if errors.Is(err, tokensource.ErrNeedsConsent) && t.APIDomain == "" {
		// It may have been issued elsewhere, and a refusal would be remembered for a day.
		err = misconfigured("refused in data centre %q, which was set for tokens without an API domain: set another one, or the token's API domain; if it was issued there, the user has to consent again", d)
	}
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	redeemed := answer.token(began)
	redeemed.APIDomain = d.own(redeemed.APIDomain)
	if t.APIDomain != "" { // It may be that of the sandbox, of which replies know nothing.
		redeemed.APIDomain = ""
	}
	return redeemed, nil
}

// own returns the API domain of a reply as it is stored, or "" if it is not of the data
// centre that replied: the next refresh would fail on it.
func (d DataCenter) own(domain string) string {
	host, err := hostOf(domain)
	if err != nil {
		return ""
	}
	if of, err := ByAPIDomain(domain); err != nil || of != d {
		return ""
	}
	return "https://" + host
}

func (r Redeemer) dataCenterOf(t tokenstore.OAuthToken) (DataCenter, error) {
	switch {
	case t.APIDomain != "":
		return ByAPIDomain(t.APIDomain)
	case r.DataCenter != "":
		return ByLocation(string(r.DataCenter))
	}
	return "", errors.New("the token has no API domain, which says in which data centre it was issued: set it, or Redeemer.DataCenter")
}

func (r Redeemer) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// post sends a form. Redirects are not followed: they would carry credentials elsewhere.
func post(ctx context.Context, client *http.Client, to string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode())) //nolint:noctx // send sets it.
	if err != nil {
		return nil, fault("the request cannot be built")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// net/http must not send it again by itself once the server may have received it.
	request.GetBody = nil
	return send(ctx, client, request)
}

// send sends a request, once.
func send(ctx context.Context, client *http.Client, request *http.Request) (*http.Response, error) {
	traced, connection := unsent.Trace(ctx)
	response, err := withoutRedirects(client).Do(request.WithContext(traced))
	if err != nil {
		return nil, sendError(ctx, connection, err)
	}
	return response, nil
}

func withoutRedirects(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}
