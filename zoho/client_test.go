package zoho_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// signIn stores the token of a user.
func (w *world) signIn(t testing.TB) tokenstore.OAuthToken {
	t.Helper()
	token, err := w.store.SaveToken(t.Context(), login(w.server))
	must(t, err)
	return token
}

func (w *world) transport(user string) *zoho.Transport {
	return &zoho.Transport{Source: w.source, Query: tokenstore.OAuthToken{UserName: user}, Base: w.server.Client().Transport}
}

// call makes a call and returns its status and body.
func call(t testing.TB, client *http.Client, method, to, body string) (int, string, error) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, to, reader)
	must(t, err)
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(response.Body)
	must(t, errors.Join(err, response.Body.Close()))
	return response.StatusCode, string(text), nil
}

// TestClient: a request that names only a path goes to the token's API domain, with a valid
// token.
func TestClient(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(t)
	client := &http.Client{Transport: w.transport(userA)}
	for _, to := range []string{"/api/leads", "https://www.zohoapis.eu/api/leads", "https://content.zohoapis.eu/api/x", "https://desk.zoho.eu/api/x"} {
		if status, text, err := call(t, client, http.MethodGet, to, ""); err != nil || status != http.StatusOK || !strings.Contains(text, userA) {
			t.Errorf("%s: %d %s %v", to, status, text, err)
		}
	}
	// A token that the API refuses is renewed once, and the request sent again with its body.
	w.server.EndAccess(token.AccessToken)
	if status, text, err := call(t, client, http.MethodPost, "/api/leads", "body"); err != nil || status != http.StatusOK || !strings.Contains(text, userA) {
		t.Errorf("after the API refused the token: %d %s, %v", status, text, err)
	}
	if n := w.server.Counts().Requests; n != 1 {
		t.Errorf("%d redemptions", n)
	}
}

// TestCredentialsGoNowhereElse: a token is not sent to a host that is not of its data centre.
func TestCredentialsGoNowhereElse(t *testing.T) {
	w := newWorld(t, nil)
	w.signIn(t)
	sent := &answer{status: 200}
	client := &http.Client{Transport: &zoho.Transport{Source: w.source, Query: tokenstore.OAuthToken{UserName: userA}, Base: sent}}
	for _, to := range []string{
		"https://evil.example/api", "http://www.zohoapis.eu/api", "https://www.zohoapis.com/api", "https://www.zohoapis.eu.evil.example/", "https://notzoho.eu/",
	} {
		if _, _, err := call(t, client, http.MethodGet, to, ""); err == nil || sent.request != nil {
			t.Errorf("%s: %v, and sent", to, err)
		}
	}
	bad := w.signIn(t)
	bad.APIDomain = "https://evil.example"
	_, err := w.store.SaveToken(t.Context(), bad)
	must(t, err)
	fresh := &zoho.Transport{Source: w.newSource(t), Query: tokenstore.OAuthToken{UserName: userA}, Base: sent}
	if _, _, err := call(t, &http.Client{Transport: fresh}, http.MethodGet, "/api", ""); !errors.Is(err, tokensource.ErrMisconfigured) || sent.request != nil {
		t.Errorf("an API domain that is not Zoho's: %v", err)
	}
}

// TestRedirectToAnotherHost: the token does not follow a redirect that leaves the data
// centre.
func TestRedirectToAnotherHost(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		for to, follows := range map[string]bool{
			"https://evil.example/": false, "http://www.zohoapis.eu/x": false, "https://www.zohoapis.eu.evil.example/": false,
			"/y": true, "https://content.zohoapis.eu/x": true,
		} {
			a := &api{answers: []answer{{status: 302, header: http.Header{"Location": {to}}}, {status: 200}}}
			client := &http.Client{Transport: &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: a}}
			if _, _, err := call(t, client, http.MethodGet, "/x", ""); (err == nil) != follows || (len(a.sent) == 2) != follows {
				t.Errorf("%s: %v, sent %q", to, err, a.sent)
			}
		}
	})
}

// TestOddDomains: a person may have typed the stored API domain, or a program the host, in
// capitals or with a slash behind it.
func TestOddDomains(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(t)
	for _, domain := range []string{"https://www.zohoapis.eu/", "https://WWW.ZohoAPIs.EU"} {
		token.APIDomain = domain
		_, err := w.store.SaveToken(t.Context(), token)
		must(t, err)
		transport := &zoho.Transport{Source: w.newSource(t), Query: tokenstore.OAuthToken{UserName: userA}, Base: w.server.Client().Transport}
		for _, to := range []string{"/api/leads", "https://WWW.zohoapis.eu/api/leads"} {
			if status, _, err := call(t, &http.Client{Transport: transport}, http.MethodGet, to, ""); err != nil || status != http.StatusOK {
				t.Errorf("%s at %s: %d, %v", to, domain, status, err)
			}
		}
		if name, err := zoho.CRMUserName(t.Context(), w.server.Client(), token); err != nil || name != userA {
			t.Errorf("at %s: %q, %v", domain, name, err)
		}
	}
}

// api is a transport that answers in turn, and keeps what it was sent.
type api struct {
	answers []answer
	sent    []string
	tokens  []string
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	a.sent = append(a.sent, r.Method+" "+r.URL.String()+" "+body)
	a.tokens = append(a.tokens, r.Header.Get("Authorization"))
	next := a.answers[min(len(a.sent), len(a.answers))-1]
	return next.RoundTrip(r)
}

// static is a redeemer that gives a new access token each time.
type static struct{ n int }

func (s *static) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	s.n++
	return tokenstore.OAuthToken{AccessToken: fmt.Sprint("renewed", s.n), Expiry: time.Now().Add(time.Hour)}, nil
}

func (*static) Reuse() time.Duration { return tokensource.Forever }

// inBubble runs a test with a store, a source and a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, source *tokensource.Source)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := tokenstore.Open(t.Context(), "memory:")
		must(t, err)
		_, err = store.SaveToken(t.Context(), tokenstore.OAuthToken{
			UserName: userA, ClientID: "c", ClientSecret: "s", RefreshToken: "R", AccessToken: "first", Expiry: time.Now().Add(time.Hour), APIDomain: zoho.EU.APIDomain(),
		})
		must(t, err)
		source, err := tokensource.New(store, &static{})
		must(t, err)
		test(t, source)
		must(t, source.Close(t.Context()))
	})
}

// TestRenewAfter401: once, with the body sent again.
func TestRenewAfter401(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		time.Sleep(10 * time.Minute)
		for _, c := range []struct {
			answers []answer
			status  int
			sent    int
		}{
			{[]answer{{status: 401}, {status: 200}}, 200, 2},
			{[]answer{{status: 401}, {status: 401}}, 401, 2},
			{[]answer{{status: 403}}, 403, 1},
		} {
			a := &api{answers: c.answers}
			client := &http.Client{Transport: &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: a}}
			status, _, err := call(t, client, http.MethodPost, "/crm/v8/Leads", "the body")
			if err != nil || status != c.status || len(a.sent) != c.sent {
				t.Errorf("%d, %v, sent %q", status, err, a.sent)
			}
			for _, sent := range a.sent {
				if sent != "POST https://www.zohoapis.eu/crm/v8/Leads the body" {
					t.Errorf("sent %q", sent)
				}
			}
			if len(a.tokens) == 2 && (a.tokens[0] == a.tokens[1] || !strings.HasPrefix(a.tokens[1], "Zoho-oauthtoken renewed")) {
				t.Errorf("the tokens were %q", a.tokens)
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// TestMissingScopeIsNotRenewed: a new access token would have the same scopes, and ten
// redemptions are all that Zoho allows in ten minutes. (PostHog/posthog#78477: status 401.)
func TestMissingScopeIsNotRenewed(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		time.Sleep(10 * time.Minute)
		const refusal = `{"code":"OAUTH_SCOPE_MISMATCH","details":{},"message":"invalid oauth scope to access this URL","status":"error"}`
		for _, body := range []string{refusal, refusal + strings.Repeat(" ", 1<<20)} {
			a := &api{answers: []answer{{status: 401, body: body}}}
			client := &http.Client{Transport: &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: a}}
			status, got, err := call(t, client, http.MethodGet, "/crm/v8/Leads", "")
			if err != nil || status != 401 || got != body {
				t.Errorf("%d with %d of %d bytes, %v", status, len(got), len(body), err)
			}
			if token, err := source.Token(t.Context(), tokenstore.OAuthToken{UserName: userA}); len(a.sent) != 1 || err != nil || token.AccessToken != "first" {
				t.Errorf("sent %d times, %v, %v", len(a.sent), token, err)
			}
		}
	})
}

// closes counts the bodies that are open.
type closes struct {
	io.Reader
	open *int
}

func (c closes) Close() error {
	*c.open--
	return nil
}

// TestBodiesAreClosed: also those that are not sent.
func TestBodiesAreClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		a := &api{answers: []answer{{status: 429, header: http.Header{"Retry-After": {"600"}}}}}
		client := &http.Client{Transport: &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: closing{a}}}
		open := 0
		body := func() (io.ReadCloser, error) {
			open++
			return closes{strings.NewReader("x"), &open}, nil
		}
		for _, to := range []string{"/x", "/x", "https://evil.example/"} {
			first, _ := body()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, first)
			must(t, err)
			request.GetBody = body
			if _, err := client.Do(request); err == nil { //nolint:bodyclose // There is none.
				t.Errorf("%s was sent", to)
			}
			if open != 0 {
				t.Errorf("%s: %d bodies are left open", to, open)
			}
		}
	})
}

// closing is a transport that closes the body of a request, as each must.
type closing struct{ http.RoundTripper }

func (c closing) RoundTrip(r *http.Request) (*http.Response, error) {
	defer func() { _ = r.Body.Close() }()
	return c.RoundTripper.RoundTrip(r)
}

// TestBodyThatCannotBeReadAgain: the request is sent once.
func TestBodyThatCannotBeReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		for _, status := range []int{401, 429} {
			a := &api{answers: []answer{{status: status}}}
			client := &http.Client{Transport: &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: a}}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/x", io.MultiReader(strings.NewReader("once")))
			must(t, err)
			response, err := client.Do(request)
			if err != nil || response.StatusCode != status || len(a.sent) != 1 {
				t.Errorf("%v, sent %d times", err, len(a.sent))
			}
			must(t, response.Body.Close())
		}
	})
}

// TestThrottledAPI: the time that the API names is waited for, by all requests.
func TestThrottledAPI(t *testing.T) {
	inBubble(t, func(t *testing.T, source *tokensource.Source) {
		wait := func(seconds string) answer { return answer{status: 429, header: http.Header{"Retry-After": {seconds}}} }
		a := &api{answers: []answer{wait("20"), {status: 200}, wait("600"), {status: 200}}}
		transport := &zoho.Transport{Source: source, Query: tokenstore.OAuthToken{UserName: userA}, Base: a}
		client := &http.Client{Transport: transport}
		began := time.Now()
		if status, _, err := call(t, client, http.MethodGet, "/x", ""); status != 200 || err != nil || time.Since(began) != 20*time.Second {
			t.Errorf("%d, %v after %v", status, err, time.Since(began))
		}
		if _, _, err := call(t, client, http.MethodGet, "/x", ""); !errors.Is(err, tokensource.ErrThrottled) {
			t.Errorf("a wait that is too long: %v", err)
		}
		sent := len(a.sent)
		var e *tokensource.Error
		if _, _, err := call(t, client, http.MethodGet, "/x", ""); !errors.As(err, &e) || e.Next.IsZero() || len(a.sent) != sent {
			t.Errorf("the next request was sent too: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if status, _, err := call(t, client, http.MethodGet, "/x", ""); status != 200 || err != nil {
			t.Errorf("after the time: %d, %v", status, err)
		}
		began = time.Now()
		a.answers, a.sent = []answer{wait(began.Add(30 * time.Second).UTC().Format(http.TimeFormat)), {status: 200}}, nil
		if status, _, err := call(t, client, http.MethodGet, "/x", ""); status != 200 || err != nil || time.Since(began) != 30*time.Second {
			t.Errorf("a date: %d, %v after %v", status, err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.answers, a.sent = []answer{wait("20"), {status: 200}}, nil
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/x", nil)
		must(t, err)
		if _, err := client.Do(request); !errors.Is(err, context.DeadlineExceeded) { //nolint:bodyclose // There is none.
			t.Errorf("the context's end: %v", err)
		}
	})
}
