package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/zoho"
)

// world is the program, Zoho, and a browser without scripts or pictures.
type world struct {
	*testing.T
	accounts *accountstest.Server
	browser  *http.Client
	base     string
	store    tokenstore.Store // as another process has it
}

func newWorld(t *testing.T) *world {
	t.Helper()
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	accounts := accountstest.NewServer(config)
	t.Cleanup(accounts.Close)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, accounts: accounts, base: "http://" + listener.Addr().String(), browser: &http.Client{Jar: jar}}
	w.browser.Transport = toZoho{accounts.Client().Transport, listener.Addr().String()}

	at := "sqlite://" + filepath.Join(t.TempDir(), "tokens.db")
	t.Setenv("TOKEN_STORE", at)
	t.Setenv("BASE_URL", w.base)
	t.Setenv("ZOHO_CLIENT_ID", accounts.ClientID())
	t.Setenv("ZOHO_CLIENT_SECRET", accounts.ClientSecret())
	t.Setenv("ZOHO_DATA_CENTER", "") // The user's is another one.
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, listener, accounts.Client()) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	store, err := tokenstore.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.store = store
	return w
}

// toZoho sends what is for Zoho to its server, and what is for the program to the program.
type toZoho struct {
	zoho    http.RoundTripper
	program string
}

func (t toZoho) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == t.program {
		return http.DefaultTransport.RoundTrip(r)
	}
	return t.zoho.RoundTrip(r)
}

// do sends what a browser sends, follows redirects, and returns where that ends.
func (w *world) do(method, to string, form url.Values) (at *url.URL, status int, body string) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := w.browser.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	return response.Request.URL, response.StatusCode, string(text)
}

// login follows the link to the consent page, and answers there.
func (w *world) login(answer string) (status int, body string) {
	w.Helper()
	consent, _, _ := w.do(http.MethodGet, w.base+"/login", nil)
	if consent.Host != "accounts.zoho.com" {
		w.Fatalf("/login leads to %s", consent.Host)
	}
	form := consent.Query()
	form.Set("answer", answer)
	_, status, body = w.do(http.MethodPost, consent.String(), form)
	return status, body
}

func (w *world) tokens() []tokenstore.OAuthToken {
	w.Helper()
	all, err := w.store.GetTokens(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return all
}

const user = "user@example.com:60000000001"

// TestTheWholeWay logs in, sees the answer of a call, logs out and logs in again.
func TestTheWholeWay(t *testing.T) {
	w := newWorld(t)
	if _, status, body := w.do(http.MethodGet, w.base+"/", nil); status != http.StatusOK || !strings.Contains(body, `id="login"`) {
		t.Errorf("before the login: %d %s", status, body)
	}
	for range 2 {
		if status, body := w.login("accept"); status != http.StatusOK || !strings.Contains(body, user) || !strings.Contains(body, "An Organization") {
			t.Errorf("after the login: %d %s", status, body)
		}
		all := w.tokens()
		if len(all) != 1 || all[0].UserName != user || all[0].APIDomain != zoho.EU.APIDomain() || !w.accounts.Redeemable(all[0].RefreshToken) {
			t.Fatalf("stored: %v", all)
		}
		if _, status, body := w.do(http.MethodPost, w.base+"/logout", nil); status != http.StatusOK || !strings.Contains(body, `id="login"`) {
			t.Errorf("after the logout: %d %s", status, body)
		}
		if w.accounts.Redeemable(all[0].RefreshToken) || len(w.tokens()) != 0 {
			t.Error("the token is still valid, or stored")
		}
	}
}

// TestMistakes: the program does not start, and says what to set.
func TestMistakes(t *testing.T) {
	for want, env := range map[string][]string{
		"ZOHO_CLIENT_ID":   {"", "secret", "eu"},
		"ZOHO_DATA_CENTER": {"1000.CLIENT", "secret", "europe"},
	} {
		for i, name := range []string{"ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_DATA_CENTER"} {
			t.Setenv(name, env[i])
		}
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), listener, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %s", err, want)
		}
	}
}

// TestDeclined: nothing is stored, and the page says why.
func TestDeclined(t *testing.T) {
	w := newWorld(t)
	if status, body := w.login("reject"); status != http.StatusForbidden || !strings.Contains(body, "declined") {
		t.Errorf("after a refusal: %d %s", status, body)
	}
	if all := w.tokens(); len(all) != 0 {
		t.Errorf("stored: %v", all)
	}
}

// TestForeignCallback: a callback that this browser did not begin is refused.
func TestForeignCallback(t *testing.T) {
	w := newWorld(t)
	if _, status, _ := w.do(http.MethodGet, w.base+"/callback?code=1000.fake&state=guessed&location=eu", nil); status != http.StatusForbidden {
		t.Errorf("a foreign callback: %d", status)
	}
	if got := w.accounts.Counts().Requests; got != 0 {
		t.Errorf("Zoho was asked %d times", got)
	}
}

// TestWithdrawn: the user has withdrawn the consent at Zoho, and is asked to log in again.
func TestWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.login("accept")
	w.accounts.Withdraw(accountstest.User{})
	for range 2 {
		if _, status, body := w.do(http.MethodGet, w.base+"/", nil); status != http.StatusOK || !strings.Contains(body, `id="login"`) {
			t.Errorf("without consent: %d %s", status, body)
		}
	}
	if status, body := w.login("accept"); status != http.StatusOK || !strings.Contains(body, "An Organization") || len(w.tokens()) != 1 {
		t.Errorf("after another login: %d %s", status, body)
	}
}

// TestDeleted: an operator has deleted the token. The user can log in again, and out.
func TestDeleted(t *testing.T) {
	for _, then := range []string{http.MethodGet, http.MethodPost} {
		w := newWorld(t)
		w.login("accept")
		if err := w.store.DeleteTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.accounts.Withdraw(accountstest.User{})
		to := map[string]string{http.MethodGet: "/", http.MethodPost: "/logout"}[then]
		if _, status, body := w.do(then, w.base+to, nil); status != http.StatusOK || !strings.Contains(body, `id="login"`) {
			t.Errorf("%s: %d %s", to, status, body)
		}
	}
}
