// The Redeemer against an accounts server: what it returns, what its errors mean, and how often
// it asks.

package oauth2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/tokensource"
	tokenoauth2 "example.com/tokenstore/tokensource/oauth2"
)

// start starts an accounts server with a clock, and returns it with its configuration.
func start(t *testing.T, config accountstest.Config) (*accountstest.Server, *oauth2.Config, *drivertest.Clock) {
	t.Helper()
	clock := drivertest.NewClock()
	config.Now, config.Sleep = clock.Now, clock.Sleep
	s := accountstest.NewServer(config)
	t.Cleanup(s.Close)
	return s, configOf(s), clock
}

func configOf(s *accountstest.Server) *oauth2.Config {
	return &oauth2.Config{
		ClientID: s.ClientID(), ClientSecret: s.ClientSecret(),
		Endpoint: oauth2.Endpoint{TokenURL: s.TokenURL(), AuthStyle: oauth2.AuthStyleInParams},
	}
}

func TestRedeem(t *testing.T) {
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInParams, oauth2.AuthStyleInHeader, oauth2.AuthStyleAutoDetect} {
		for _, kind := range accountstest.Kinds() {
			s, config, clock := start(t, accountstest.Config{Kind: kind})
			config.Endpoint.AuthStyle = style
			r := tokenoauth2.NewRedeemer(config, tokenoauth2.WithClock(clock.Now))
			token := s.Login(accountstest.User{})
			got, err := r.Redeem(t.Context(), token)
			if err != nil {
				t.Fatalf("%s, style %d: %v", kind, style, err)
			}
			if !s.Alive(got.AccessToken) || !s.Redeemable(got.RefreshToken) {
				t.Errorf("%s, style %d: the result is not what the server gave", kind, style)
			}
			if rotated := got.RefreshToken != token.RefreshToken; rotated != (kind != accountstest.Keep) {
				t.Errorf("%s: a new refresh token: %v", kind, rotated)
			}
			if want := clock.Now().Add(time.Hour); !got.Expiry.Equal(want) {
				t.Errorf("%s: it ends at %s, want %s", kind, got.Expiry, want)
			}
			if got.ID != "" || got.UserName != "" || got.ClientID != "" || got.APIDomain != "" {
				t.Errorf("%s: the result has more than the reply: %v", kind, got)
			}
			if n := s.Counts().Requests; n != 1 {
				t.Errorf("%s, style %d: %d requests", kind, style, n)
			}
		}
	}
}

// TestExpiryBeginsWhenSent: a slow reply does not make a token live longer.
func TestExpiryBeginsWhenSent(t *testing.T) {
	s, config, clock := start(t, accountstest.Config{})
	sent := clock.Now()
	s.Next(accountstest.Fault{ReplyLatency: 5 * time.Second})
	got, err := tokenoauth2.NewRedeemer(config, tokenoauth2.WithClock(clock.Now)).Redeem(t.Context(), s.Login(accountstest.User{}))
	if err != nil || got.Expiry.After(sent.Add(time.Hour)) {
		t.Errorf("it ends %s after the request, %v; want an hour at most", got.Expiry.Sub(sent), err)
	}
}

// TestZoho: replies in Zoho's form, with the API's domain.
func TestZoho(t *testing.T) {
	s, config, _ := start(t, accountstest.Zoho())
	got, err := tokenoauth2.NewRedeemer(config).Redeem(t.Context(), s.Login(accountstest.User{}))
	if err != nil || got.APIDomain != s.URL {
		t.Errorf("api_domain is %q, %v", got.APIDomain, err)
	}
}

// TestFormReply: some servers answer in the form of a query (x/oauth2 reads that too).
func TestFormReply(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = w.Write([]byte("access_token=a&refresh_token=r&expires_in=60"))
	}))
	t.Cleanup(server.Close)
	clock := drivertest.NewClock()
	config := &oauth2.Config{ClientID: "c", Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInParams}}
	got, err := tokenoauth2.NewRedeemer(config, tokenoauth2.WithClock(clock.Now)).Redeem(t.Context(), tokenstore.OAuthToken{RefreshToken: "x"})
	if err != nil || got.AccessToken != "a" || got.RefreshToken != "r" || !got.Expiry.Equal(clock.Now().Add(time.Minute)) {
		t.Errorf("got %v until %s, %v", got, got.Expiry, err)
	}
}

// TestGrant: before there is a refresh token, the code is exchanged.
func TestGrant(t *testing.T) {
	s, config, _ := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
	r := tokenoauth2.NewRedeemer(config)
	token := s.Grant(accountstest.User{})
	got, err := r.Redeem(t.Context(), token)
	if err != nil || !s.Redeemable(got.RefreshToken) {
		t.Fatalf("the exchange ends with %v", err)
	}
	if _, err := r.Redeem(t.Context(), token); !errors.Is(err, tokensource.ErrNeedsConsent) {
		t.Errorf("the second exchange ends with %v", err)
	}
}

// TestClients: whose ID and secret are sent.
func TestClients(t *testing.T) {
	s, config, _ := start(t, accountstest.Config{})
	own := s.Login(accountstest.User{})
	bare := own
	bare.ClientID, bare.ClientSecret = "", ""
	other := own
	other.ClientID = "other"
	for name, c := range map[string]struct {
		config *oauth2.Config
		token  tokenstore.OAuthToken
		want   error
		sent   int
	}{
		"the configuration's":        {config, bare, nil, 1},
		"the token's":                {&oauth2.Config{Endpoint: config.Endpoint}, own, nil, 1},
		"neither":                    {&oauth2.Config{Endpoint: config.Endpoint}, bare, tokensource.ErrMisconfigured, 1},
		"a token of another client":  {config, other, tokensource.ErrMisconfigured, 0},
		"a wrong secret":             {&oauth2.Config{Endpoint: config.Endpoint, ClientID: config.ClientID, ClientSecret: "wrong"}, own, tokensource.ErrMisconfigured, 1},
		"the token's secret is used": {&oauth2.Config{Endpoint: config.Endpoint, ClientID: config.ClientID}, own, nil, 1},
	} {
		before := s.Counts().Requests
		_, err := tokenoauth2.NewRedeemer(c.config).Redeem(t.Context(), c.token)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if n := s.Counts().Requests - before; n != c.sent {
			t.Errorf("%s: %d requests, want %d", name, n, c.sent)
		}
	}
}

// TestAnswers: which kind of error each answer is. nil is unknown.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		config accountstest.Config
		fault  accountstest.Fault
		want   error
		pause  time.Duration
	}{
		"invalid_grant":            {fault: accountstest.Fault{Error: "invalid_grant"}, want: tokensource.ErrNeedsConsent},
		"GitHub's":                 {fault: accountstest.Fault{Error: "bad_refresh_token", Status: 200}, want: tokensource.ErrNeedsConsent},
		"invalid_client":           {fault: accountstest.Fault{Error: "invalid_client", Status: 401}, want: tokensource.ErrMisconfigured},
		"unauthorized_client":      {fault: accountstest.Fault{Error: "unauthorized_client"}, want: tokensource.ErrMisconfigured},
		"429":                      {fault: accountstest.Fault{Throttle: true, RetryAfter: 90 * time.Second}, want: tokensource.ErrThrottled, pause: 90 * time.Second},
		"429 without a time":       {fault: accountstest.Fault{Status: 429}, want: tokensource.ErrThrottled},
		"503 with a time":          {fault: accountstest.Fault{Status: 503, RetryAfter: time.Minute}, want: tokensource.ErrThrottled, pause: time.Minute},
		"503":                      {fault: accountstest.Fault{Status: 503}},
		"502 with a code":          {fault: accountstest.Fault{Status: 502, Error: "invalid_grant"}},
		"401 without a code":       {fault: accountstest.Fault{Status: 401}},
		"an unknown code":          {fault: accountstest.Fault{Error: "out_of_tokens"}},
		"a policy's access_denied": {fault: accountstest.Fault{Status: 403, Error: "access_denied"}},
		"a page with status 200":   {fault: accountstest.Fault{Status: 200}},
		"no reply":                 {fault: accountstest.Fault{LoseReply: true}},
		"no arrival":               {fault: accountstest.Fault{LoseRequest: true}},
		"Zoho, invalid_client":     {config: accountstest.Zoho(), fault: accountstest.Fault{Error: "invalid_client"}, want: tokensource.ErrMisconfigured},
		"Zoho, its secret":         {config: accountstest.Zoho(), fault: accountstest.Fault{Error: "invalid_client_secret"}, want: tokensource.ErrMisconfigured},
		"Zoho, invalid_code":       {config: accountstest.Zoho(), fault: accountstest.Fault{Error: "invalid_code"}, want: tokensource.ErrNeedsConsent},
		"Zoho, access_denied":      {config: accountstest.Zoho(), fault: accountstest.Fault{Error: "access_denied"}, want: tokensource.ErrThrottled},
		"Zoho, throttle, 200":      {config: accountstest.Zoho(), fault: accountstest.Fault{Throttle: true}, want: tokensource.ErrThrottled},
		"Zoho, throttle, 400": {
			config: accountstest.Config{Form: accountstest.ZohoForm, Throttles: accountstest.Zoho400},
			fault:  accountstest.Fault{Throttle: true}, want: tokensource.ErrThrottled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, config, clock := start(t, c.config)
			token := s.Login(accountstest.User{})
			r := tokenoauth2.NewRedeemer(config, tokenoauth2.WithClock(clock.Now))
			s.Next(c.fault)
			_, err := r.Redeem(t.Context(), token)
			if err == nil {
				t.Fatal("no error")
			}
			for _, kind := range []error{tokensource.ErrNeedsConsent, tokensource.ErrMisconfigured, tokensource.ErrThrottled, tokensource.ErrNotSent} {
				if got := errors.Is(err, kind); got != errors.Is(c.want, kind) {
					t.Errorf("it matches %q: %v; it is %v", kind, got, err)
				}
			}
			var e *tokensource.Error
			if next := (time.Time{}); errors.As(err, &e) || c.pause > 0 {
				if c.pause > 0 {
					next = clock.Now().Add(c.pause)
				}
				if !e.Next.Equal(next) {
					t.Errorf("the next attempt is at %s, want %s", e.Next, next)
				}
			}
			if answered := !c.fault.LoseReply && !c.fault.LoseRequest && c.fault.Status != 200; answered {
				var cause *oauth2.RetrieveError
				if !errors.As(err, &cause) {
					t.Errorf("the cause cannot be reached: %v", err)
				}
			}
		})
	}
}

// TestRetryAfterDate: Retry-After may be a date (RFC 9110, section 10.2.3).
func TestRetryAfterDate(t *testing.T) {
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", at.Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	config := &oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInParams}}
	_, err := tokenoauth2.NewRedeemer(config).Redeem(t.Context(), tokenstore.OAuthToken{RefreshToken: "r"})
	var e *tokensource.Error
	if !errors.As(err, &e) || !e.Next.Equal(at) {
		t.Errorf("got %v, want the next attempt at %s", err, at)
	}
}

// TestNotSent: failures before there was a connection, and some that only look like it.
func TestNotSent(t *testing.T) {
	s, config, _ := start(t, accountstest.Config{})
	token := s.Login(accountstest.User{})
	closed := accountstest.NewServer(accountstest.Config{})
	closed.Close()
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(encrypted.Close)
	to := func(url string) *oauth2.Config {
		c := *configOf(s)
		c.Endpoint.TokenURL = url
		return &c
	}
	refuse := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}}}
	silent := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("a transport of whom nothing is known")}
	})}
	strict := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
	for name, c := range map[string]struct {
		config *oauth2.Config
		client *http.Client
		want   bool
	}{
		"refused":                      {to(closed.TokenURL()), http.DefaultClient, true},
		"no such host":                 {config, refuse, true},
		"unknown certificate":          {to(encrypted.URL), strict, true},
		"TLS with a server without it": {to(strings.Replace(s.TokenURL(), "http:", "https:", 1)), http.DefaultClient, true},
		"a transport that says little": {config, silent, false},
	} {
		_, err := tokenoauth2.NewRedeemer(c.config, tokenoauth2.WithHTTPClient(c.client)).Redeem(t.Context(), token)
		if got := errors.Is(err, tokensource.ErrNotSent); err == nil || got != c.want {
			t.Errorf("%s: not sent: %v, want %v; it is %v", name, got, c.want, err)
		}
	}
	if n := s.Counts().Requests; n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{}) // The answer comes after the caller has gone.
	s.Before(func(accountstest.Request) accountstest.Fault { cancel(); <-ended; return accountstest.Fault{} })
	_, err := tokenoauth2.NewRedeemer(config).Redeem(ctx, token)
	close(ended)
	if err == nil || errors.Is(err, tokensource.ErrNotSent) {
		t.Errorf("cancelled after it was sent: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAutoDetectAsksOnce: an unknown outcome is not answered with a second request, as x/oauth2
// does by itself.
func TestAutoDetectAsksOnce(t *testing.T) {
	for _, fault := range []accountstest.Fault{{LoseReply: true}, {Status: 500}, {Error: "invalid_grant"}, {Throttle: true}} {
		s, config, _ := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
		config.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
		r := tokenoauth2.NewRedeemer(config)
		s.Next(fault)
		if _, err := r.Redeem(t.Context(), s.Login(accountstest.User{})); err == nil {
			t.Fatalf("%+v: no error", fault)
		}
		if n := s.Counts().Requests; n != 1 {
			t.Errorf("%+v: %d requests, want 1", fault, n)
		}
	}

	s, config, _ := start(t, accountstest.Config{Kind: accountstest.RevokeFamily})
	config.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
	token := s.Login(accountstest.User{})
	s.Next(accountstest.Fault{LoseReply: true})
	_, _ = config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if got := s.Counts(); got.FamiliesRevoked != 1 {
		t.Errorf("x/oauth2 asks once now (%+v): the detection here may not be needed any more", got)
	}
}

// TestAutoDetectFinds: a server that knows one style only is asked in both once, and then in that.
func TestAutoDetectFinds(t *testing.T) {
	for _, only := range []string{"params", "header"} {
		s, config, _ := start(t, accountstest.Config{Kind: accountstest.Refuse})
		config.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
		token := s.Login(accountstest.User{})
		asked := 0
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if _, _, header := r.BasicAuth(); header != (only == "header") {
				w.WriteHeader(http.StatusBadRequest) // Google: invalid_request, client_id is missing.
				return
			}
			http.Redirect(w, r, s.TokenURL(), http.StatusTemporaryRedirect)
		}))
		t.Cleanup(front.Close)
		config.Endpoint.TokenURL = front.URL
		keep := &http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
			r.Header.Set("Authorization", via[0].Header.Get("Authorization"))
			return nil
		}}
		r := tokenoauth2.NewRedeemer(config, tokenoauth2.WithHTTPClient(keep))
		want := map[string]int{"params": 2, "header": 1}[only]
		for range 2 {
			got, err := r.Redeem(t.Context(), token)
			if err != nil || asked != want {
				t.Fatalf("%s: %d requests, want %d: %v", only, asked, want, err)
			}
			token.RefreshToken = got.RefreshToken
			want++
		}
	}
}

// TestWhichHTTPClient: the option's, else the context's.
func TestWhichHTTPClient(t *testing.T) {
	s, config, _ := start(t, accountstest.Config{})
	token := s.Login(accountstest.User{})
	var used []string
	client := func(name string) *http.Client {
		return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			used = append(used, name)
			return http.DefaultTransport.RoundTrip(r)
		})}
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, client("context"))
	for _, r := range []*tokenoauth2.Redeemer{
		tokenoauth2.NewRedeemer(config), tokenoauth2.NewRedeemer(config, tokenoauth2.WithHTTPClient(client("option"))),
	} {
		if _, err := r.Redeem(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(used, " "); got != "context option" {
		t.Errorf("the clients used are %q", got)
	}
}

// TestErrorsShowNoCredential: providers quote what was sent.
func TestErrorsShowNoCredential(t *testing.T) {
	token := tokenstore.OAuthToken{RefreshToken: "canary-refresh", ClientID: "canary-client", ClientSecret: "canary-secret"}
	for _, status := range []int{200, 400, 401, 429, 500} {
		for _, body := range []string{
			`{"error":"canary-refresh","error_description":"canary-secret"}`, `{"error":"invalid_grant","error_description":"canary-refresh"}`,
			"canary-refresh", `{"access_token":"","x":"canary-refresh"}`, `{"access_token":7,"x":"canary-refresh"}`,
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}))
			config := &oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInParams}}
			_, err := tokenoauth2.NewRedeemer(config).Redeem(t.Context(), token)
			server.Close()
			if err == nil {
				t.Fatalf("%d %s: no error", status, body)
			}
			if text := everything(err); strings.Contains(text, "canary") {
				t.Errorf("%d %s: the error quotes the server: %s", status, body, text)
			}
		}
	}
}

// everything returns all that can be printed of an error and what it wraps.
func everything(err error) string {
	text := fmt.Sprintf("%v %+v %#v\n", err, err, err)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		text += fmt.Sprintf("%+v %+v\n", *refused, refused.Response)
	}
	switch e := err.(type) { //nolint:errorlint // One by one.
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			text += everything(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text += everything(inner)
		}
	}
	return text
}
