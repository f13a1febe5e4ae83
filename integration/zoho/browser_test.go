// The login in a real browser, whose cookies and redirects are not a test's own idea of
// them.

package zoho_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// TestBrowser: a person follows the link, declines, follows it again and accepts. The consent
// page is at the server of accountstest; only its host differs from Zoho's.
func TestBrowser(t *testing.T) {
	program := need.Browser(t)
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	accounts := accountstest.NewServer(config)
	t.Cleanup(accounts.Close)
	store, err := tokenstore.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "tokens.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	source, err := tokensource.New(store, zoho.Redeemer{HTTP: accounts.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close(context.Background()) })

	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	login := &zoho.Login{
		ClientID: accounts.ClientID(), ClientSecret: accounts.ClientSecret(), RedirectURL: app.URL + "/callback",
		Scopes: zoho.CRMScopes(), Store: store, Source: source, HTTP: accounts.Client(),
	}
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<a id="login" href="/login">Log in with Zoho</a>`))
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		login.Start(toServer{w, accounts.URL}, r)
	})
	mux.Handle("/callback", login.Callback(func(w http.ResponseWriter, _ *http.Request, token tokenstore.OAuthToken, err error) {
		w.Header().Set("Content-Type", "text/html")
		text := "Welcome, " + token.UserName
		if err != nil {
			text = err.Error()
		}
		_, _ = w.Write([]byte(`<p id="result">` + text + `</p>`)) // #nosec G705 -- The test's own.
	}))

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()

	// answer begins a login and answers on the consent page.
	answer := func(name string) string {
		t.Helper()
		do(t, ctx, chromedp.Navigate(app.URL+"/"))
		do(t, ctx, chromedp.Click("#login"))
		do(t, ctx, chromedp.Click("button[value="+name+"]"))
		return do(t, ctx, chromedp.Text("#result"))
	}
	if got := answer("reject"); got != zoho.ErrDeclined.Error() {
		t.Errorf("after a refusal the page says %q", got)
	}
	if got := answer("accept"); got != "Welcome, "+user {
		t.Errorf("after the consent the page says %q", got)
	}
	// The person reloads the page of the callback: its login is over.
	do(t, ctx, chromedp.Reload())
	if got := do(t, ctx, chromedp.Text("#result")); !strings.HasPrefix(got, zoho.ErrCallback.Error()) {
		t.Errorf("after a reload the page says %q", got)
	}
	all, err := store.GetTokens(t.Context())
	if err != nil || len(all) != 1 || all[0].UserName != user || !accounts.Redeemable(all[0].RefreshToken) {
		t.Errorf("stored: %v, %v", all, err)
	}
	if got := accounts.Counts(); got.Exchanges != 1 {
		t.Errorf("%+v; want one exchange", got)
	}
}

// do runs one action in the browser. The first one starts it, and must not end its context.
func do[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T { //nolint:revive // The test comes first, as everywhere.
	t.Helper()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := chromedp.Run(ctx, a)
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.value
	case <-time.After(time.Minute):
		t.Fatal("the browser does not answer")
	}
	var none T
	return none
}

// toServer is a response whose redirect to Zoho's accounts server leads to the test's.
type toServer struct {
	http.ResponseWriter
	url string
}

func (w toServer) WriteHeader(status int) {
	if to, err := url.Parse(w.Header().Get("Location")); err == nil && to.Host == "accounts.zoho.com" {
		w.Header().Set("Location", w.url+to.RequestURI())
	}
	w.ResponseWriter.WriteHeader(status)
}
