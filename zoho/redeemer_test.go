package zoho_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// at is the tests' clock.
var at = time.Date(2025, 11, 23, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return at }

// answer is a transport that answers every request with one reply, and keeps the last
// request.
type answer struct {
	status  int
	body    string
	header  http.Header
	request *http.Request
	form    string
}

func (a *answer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.request = r
	if r.Body != nil {
		form, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		a.form = string(form)
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func (a *answer) redeemer() zoho.Redeemer {
	return zoho.Redeemer{HTTP: &http.Client{Transport: a}, Now: clock}
}

const canary = "canary"

// stored is a token whose every credential has the canary in it.
func stored() tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		ID: "1", UserName: "user@zylker.example:1", ClientID: "1000.CLIENT", ClientSecret: canary + "-secret", RefreshToken: canary + "-refresh",
		AccessToken: canary + "-access", GrantToken: canary + "-grant", RedirectURL: "https://app.example/callback", APIDomain: "https://www.zohoapis.eu",
	}
}

// TestReplies: every form of a reply, with its source, becomes what it means.
func TestReplies(t *testing.T) {
	hour := at.Add(time.Hour)
	for name, c := range map[string]struct {
		status int
		body   string
		after  string // Retry-After
		expiry time.Time
		kind   error // nil with a zero expiry: an error of no kind
		next   time.Time
		good   bool
	}{
		// Zoho CRM v8, Refresh Access Tokens.
		"a refresh": {status: 200, body: `{"access_token":"A","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600}`, good: true, expiry: hour},
		// googleworkspace/apps-script-oauth2#198: milliseconds beside seconds, and later alone.
		"milliseconds beside seconds": {status: 200, body: `{"access_token":"A","expires_in_sec":3600,"expires_in":3600000}`, good: true, expiry: hour},
		"milliseconds alone":          {status: 200, body: `{"access_token":"A","expires_in":3600000}`, good: true, expiry: hour},
		"a life in quotes":            {status: 200, body: `{"access_token":"A","expires_in":"3600"}`, good: true, expiry: hour},
		"no life":                     {status: 200, body: `{"access_token":"A"}`, good: true},
		"an empty life":               {status: 200, body: `{"access_token":"A","expires_in":""}`, good: true},
		"a life in words":             {status: 200, body: `{"access_token":"A","expires_in":"an hour"}`, good: true},
		"a life that is an object":    {status: 200, body: `{"access_token":"A","expires_in":{}}`, good: true},
		"a life of nonsense":          {status: 200, body: `{"access_token":"A","expires_in":-1}`, good: true},
		// asciisd/zoho#6 and #18: refusals with status 200.
		"invalid_client":          {status: 200, body: `{"error":"invalid_client"}`, kind: tokensource.ErrMisconfigured},
		"invalid_client, 400":     {status: 400, body: `{"error":"invalid_client"}`, kind: tokensource.ErrMisconfigured},
		"invalid_client_secret":   {status: 200, body: `{"error":"invalid_client_secret"}`, kind: tokensource.ErrMisconfigured},
		"invalid_redirect_uri":    {status: 200, body: `{"error":"invalid_redirect_uri"}`, kind: tokensource.ErrMisconfigured},
		"invalid_code":            {status: 200, body: `{"error":"invalid_code"}`, kind: tokensource.ErrNeedsConsent},
		"invalid_code, 400":       {status: 400, body: `{"error":"invalid_code"}`, kind: tokensource.ErrNeedsConsent},
		"invalid_code beside all": {status: 200, body: `{"error":"invalid_code","access_token":"A"}`, kind: tokensource.ErrNeedsConsent},
		// The throttle: Kaizen #43 (status 200), and public logs (status 400).
		"access_denied":            {status: 200, body: `{"error":"access_denied"}`, kind: tokensource.ErrThrottled, next: at.Add(10 * time.Minute)},
		"Access Denied":            {status: 200, body: `{"error":"Access Denied","status":"failure"}`, kind: tokensource.ErrThrottled, next: at.Add(10 * time.Minute)},
		"Access Denied, 400":       {status: 400, body: `{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}`, kind: tokensource.ErrThrottled, next: at.Add(10 * time.Minute)},
		"Access Denied with time":  {status: 400, body: `{"error":"Access Denied"}`, after: "30", kind: tokensource.ErrThrottled, next: at.Add(30 * time.Second)},
		"Access Denied with date":  {status: 400, body: `{"error":"Access Denied"}`, after: "Sun, 23 Nov 2025 12:03:00 GMT", kind: tokensource.ErrThrottled, next: at.Add(3 * time.Minute)},
		"429":                      {status: 429, body: `<html>`, after: "7", kind: tokensource.ErrThrottled, next: at.Add(7 * time.Second)},
		"an error that is unknown": {status: 200, body: `{"error":"canary-refresh"}`},
		"general_error":            {status: 200, body: `{"error":"general_error"}`},
		"a gateway's refusal":      {status: 503, body: `{"error":"invalid_code"}`},
		"a page":                   {status: 200, body: `<html>canary</html>`},
		"an empty page":            {status: 200},
		// tristanjahier/zoho-crm-php#9: a reply without an access token taken for success.
		"nothing":                   {status: 200, body: `{}`},
		"an empty access token":     {status: 200, body: `{"access_token":"","expires_in":3600}`},
		"a token with an odd state": {status: 500, body: `{"access_token":"A"}`},
		"a number for a token":      {status: 200, body: `{"access_token":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answer{status: c.status, body: c.body, header: http.Header{}}
			if c.after != "" {
				a.header.Set("Retry-After", c.after)
			}
			got, err := a.redeemer().Redeem(t.Context(), stored())
			if c.good {
				if err != nil || got != (tokenstore.OAuthToken{AccessToken: "A", Expiry: c.expiry}) {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err == nil || got != (tokenstore.OAuthToken{}) {
				t.Fatalf("%+v, %v, want an error and nothing to save", got, err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds a credential: %v", err)
			}
			for _, kind := range []error{tokensource.ErrMisconfigured, tokensource.ErrNeedsConsent, tokensource.ErrThrottled, tokensource.ErrNotSent} {
				if errors.Is(err, kind) != (kind == c.kind) { //nolint:errorlint // The table's own.
					t.Errorf("%v: matches %v is %t", err, kind, errors.Is(err, kind))
				}
			}
			var e *tokensource.Error
			if errors.As(err, &e) && !e.Next.Equal(c.next) {
				t.Errorf("the next try is at %v, want %v", e.Next, c.next)
			}
		})
	}
}

// TestRequests: a request goes to the accounts server of the token's data centre, with what
// belongs to it.
func TestRequests(t *testing.T) {
	const good = `{"access_token":"A","refresh_token":"R","api_domain":"https://www.zohoapis.in","expires_in":3600}`
	redeem := func(change func(*tokenstore.OAuthToken), r zoho.Redeemer) (*answer, tokenstore.OAuthToken, error) {
		a := &answer{status: 200, body: good}
		r.HTTP, r.Now = &http.Client{Transport: a}, clock
		token := stored()
		change(&token)
		got, err := r.Redeem(t.Context(), token)
		return a, got, err
	}
	a, got, err := redeem(func(*tokenstore.OAuthToken) {}, zoho.Redeemer{})
	if err != nil || a.request.URL.String() != "https://accounts.zoho.eu/oauth/v2/token" ||
		a.form != "client_id=1000.CLIENT&client_secret=canary-secret&grant_type=refresh_token&refresh_token=canary-refresh" {
		t.Errorf("refresh: %v: %s %s", err, a.request.URL, a.form)
	}
	if got.APIDomain != "" || got.RefreshToken != "R" {
		t.Errorf("the API domain is kept, got %+v", got)
	}
	a, _, err = redeem(func(t *tokenstore.OAuthToken) { t.RefreshToken = "" }, zoho.Redeemer{})
	if err != nil || a.form != "client_id=1000.CLIENT&client_secret=canary-secret&code=canary-grant&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback" {
		t.Errorf("grant: %v: %s", err, a.form)
	}
	// The API domain is stored with the first redemption, and the data centre is then
	// the configured one.
	a, got, err = redeem(func(t *tokenstore.OAuthToken) { t.APIDomain = "" }, zoho.Redeemer{DataCenter: zoho.IN})
	if err != nil || a.request.URL.Host != "accounts.zoho.in" || got.APIDomain != "https://www.zohoapis.in" {
		t.Errorf("without an API domain: %v: %s %+v", err, a.request.URL, got.APIDomain)
	}
	a, _, err = redeem(func(t *tokenstore.OAuthToken) { t.APIDomain = "https://sandbox.zohoapis.com.au" }, zoho.Redeemer{DataCenter: zoho.IN})
	if err != nil || a.request.URL.Host != "accounts.zoho.com.au" {
		t.Errorf("the token's own data centre counts: %v: %s", err, a.request.URL)
	}
	for name, change := range map[string]func(*tokenstore.OAuthToken){
		"no API domain":      func(t *tokenstore.OAuthToken) { t.APIDomain = "" },
		"another API domain": func(t *tokenstore.OAuthToken) { t.APIDomain = "https://www.zohoapis.evil.example" },
		"no client ID":       func(t *tokenstore.OAuthToken) { t.ClientID = "" },
		"no client secret":   func(t *tokenstore.OAuthToken) { t.ClientSecret = "" },
	} {
		if a, _, err := redeem(change, zoho.Redeemer{}); !errors.Is(err, tokensource.ErrMisconfigured) || a.request != nil {
			t.Errorf("%s: %v, and sent: %t", name, err, a.request != nil)
		}
	}
	a, _, err = redeem(func(t *tokenstore.OAuthToken) { t.RefreshToken, t.GrantToken = "", "" }, zoho.Redeemer{})
	if !errors.Is(err, tokensource.ErrNeedsConsent) || a.request != nil {
		t.Errorf("nothing to redeem: %v", err)
	}
}

// TestUnknownDomainInAReply: an API domain that is not of the data centre that issued the
// token is not stored, since the next refresh would fail on it.
func TestUnknownDomainInAReply(t *testing.T) {
	for domain, want := range map[string]string{
		"https://www.zohoapis.in":   "https://www.zohoapis.in",
		"https://www.zohoapis.in/":  "https://www.zohoapis.in",
		"https://WWW.zohoapis.IN":   "https://www.zohoapis.in",
		"https://www.zohoapis.eu":   "",
		"https://api.evil.example":  "",
		"http://www.zohoapis.in":    "",
		"https://www.zohoapis.mars": "",
	} {
		a := &answer{status: 200, body: `{"access_token":"A","api_domain":"` + domain + `"}`}
		redeemer := a.redeemer()
		redeemer.DataCenter = zoho.IN
		token := stored()
		token.APIDomain = ""
		if got, err := redeemer.Redeem(t.Context(), token); err != nil || got.APIDomain != want {
			t.Errorf("%s: %q, %v, want %q", domain, got.APIDomain, err, want)
		}
	}
}

// TestWrongDataCenterIsNoRefusal: a data centre that was set for tokens without an API domain
// may be the wrong one, which answers as if the consent were gone. Once it is set right, the
// token works at once: nothing about it was noted.
func TestWrongDataCenterIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := tokenstore.Open(t.Context(), "memory:")
		must(t, err)
		token := stored()
		token.APIDomain, token.AccessToken = "", ""
		_, err = store.SaveToken(t.Context(), token)
		must(t, err)
		at := func(d zoho.DataCenter, body string) (tokenstore.OAuthToken, error) {
			source, err := tokensource.New(store, zoho.Redeemer{DataCenter: d, HTTP: &http.Client{Transport: &answer{status: 200, body: body}}})
			must(t, err)
			token, err := source.Token(t.Context(), tokenstore.OAuthToken{UserName: token.UserName})
			must(t, source.Close(t.Context()))
			return token, err
		}
		_, err = at(zoho.IN, `{"error":"invalid_code"}`)
		if !errors.Is(err, tokensource.ErrMisconfigured) || errors.Is(err, tokensource.ErrNeedsConsent) || !strings.Contains(err.Error(), "data centre") {
			t.Errorf("at the wrong one: %v", err)
		}
		began := time.Now()
		now, err := at(zoho.EU, `{"access_token":"A","expires_in":3600,"api_domain":"https://www.zohoapis.eu"}`)
		if err != nil || now.AccessToken != "A" || now.APIDomain != zoho.EU.APIDomain() || time.Since(began) > 5*time.Minute {
			t.Errorf("at the right one: %v, %v after %v", now, err, time.Since(began))
		}
	})
}

// TestRedirectsAreNotFollowed: one would carry the client's secret to another host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	a := &answer{status: 307, header: http.Header{"Location": {"https://evil.example/"}}}
	_, err := a.redeemer().Redeem(t.Context(), stored())
	if err == nil || a.request.URL.Host != "accounts.zoho.eu" {
		t.Errorf("%v: sent to %s", err, a.request.URL.Host)
	}
}

// TestNotSent: a request that finds no server was not sent; one that lost its connection may
// have been.
func TestNotSent(t *testing.T) {
	refused := &net.Dialer{}
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return refused.DialContext(ctx, "tcp", "127.0.0.1:1")
	}}
	_, err := zoho.Redeemer{HTTP: &http.Client{Transport: transport}}.Redeem(t.Context(), stored())
	if !errors.Is(err, tokensource.ErrNotSent) {
		t.Errorf("refused connection: %v", err)
	}
	server := accountstest.NewServer(accountstest.Zoho())
	defer server.Close()
	server.Next(accountstest.Fault{LoseReply: true})
	_, err = zoho.Redeemer{HTTP: server.Client()}.Redeem(t.Context(), login(server))
	if err == nil || errors.Is(err, tokensource.ErrNotSent) {
		t.Errorf("lost reply: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (zoho.Redeemer{HTTP: server.Client()}).Redeem(ctx, login(server)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// login is the token of a user who has logged in at the server, which is in the EU.
func login(server *accountstest.Server) tokenstore.OAuthToken {
	token := server.Login(accountstest.User{})
	token.APIDomain = zoho.EU.APIDomain()
	return token
}
