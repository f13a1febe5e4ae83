package zoho_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	_ "example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is an application with a store, and the accounts server that it logs in at.
type world struct {
	server *accountstest.Server
	store  tokenstore.OpenStore
	source *tokensource.Source
	login  *zoho.Login
	log    *strings.Builder
}

// newWorld returns an application that is registered in the US, and whose users are in the
// EU.
func newWorld(t testing.TB, change func(*accountstest.Config)) *world {
	t.Helper()
	config := zohoIn(zoho.EU)
	config.Users = []accountstest.User{{Email: "a@zylker.example", Name: "A", Org: "61"}, {Email: "b@zylker.example", Name: "B", Org: "61"}}
	if change != nil {
		change(&config)
	}
	w := &world{server: accountstest.NewServer(config), log: &strings.Builder{}}
	t.Cleanup(w.server.Close)
	var err error
	w.store, err = tokenstore.Open(t.Context(), "memory:")
	must(t, err)
	w.source = w.newSource(t)
	w.login = w.newLogin(w.source)
	return w
}

func (w *world) newSource(t testing.TB) *tokensource.Source {
	t.Helper()
	source, err := tokensource.New(w.store, zoho.Redeemer{HTTP: w.server.Client()})
	must(t, err)
	t.Cleanup(func() { _ = source.Close(context.Background()) })
	return source
}

func (w *world) newLogin(source *tokensource.Source) *zoho.Login {
	return &zoho.Login{
		ClientID: w.server.ClientID(), ClientSecret: w.server.ClientSecret(), RedirectURL: "http://app.example/callback",
		Scopes: zoho.CRMScopes(), Store: w.store, Source: source, HTTP: w.server.Client(), Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

// consent answers the consent page as the n-th user, and returns the callback's parameters.
func (w *world) consent(t testing.TB, authURL, user, what string) url.Values {
	t.Helper()
	u, err := url.Parse(authURL)
	must(t, err)
	form := u.Query()
	form.Set("user", user)
	form.Set("answer", what)
	client := w.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.PostForm(authURL, form)
	must(t, err)
	must(t, response.Body.Close())
	back, err := response.Location()
	must(t, err)
	return back.Query()
}

func (w *world) tokens(t testing.TB) []tokenstore.OAuthToken {
	t.Helper()
	all, err := w.store.GetTokens(t.Context())
	must(t, err)
	return all
}

const userA, userB = "a@zylker.example:61", "b@zylker.example:61"

// TestLogin: from the consent page to a stored token that is found by its user.
func TestLogin(t *testing.T) {
	w := newWorld(t, nil)
	callback := w.consent(t, w.login.AuthURL("state"), userA, "accept")
	if callback.Get("state") != "state" {
		t.Errorf("the state came back as %q", callback.Get("state"))
	}
	token, err := w.login.Exchange(t.Context(), callback)
	must(t, err)
	found, err := w.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: userA})
	must(t, err)
	if found != token || found.APIDomain != zoho.EU.APIDomain() || found.RefreshToken == "" || found.AccessToken == "" || found.Expiry.IsZero() {
		t.Errorf("stored %+v", found)
	}
	if all := w.tokens(t); len(all) != 1 {
		t.Errorf("%d rows", len(all))
	}
	if n := w.server.Counts().Requests; n != 1 {
		t.Errorf("%d requests to redeem", n)
	}
}

// TestReturningUserKeepsTheRow: a second login updates it, and the row of the grant goes.
func TestReturningUserKeepsTheRow(t *testing.T) {
	w := newWorld(t, nil)
	first, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept"))
	must(t, err)
	_, err = w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userB, "accept"))
	must(t, err)
	second, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept"))
	must(t, err)
	if second.ID != first.ID || second.RefreshToken == first.RefreshToken {
		t.Errorf("ID %s, then %s", first.ID, second.ID)
	}
	if all := w.tokens(t); len(all) != 2 {
		t.Errorf("%d rows, want one for each user", len(all))
	}
	for _, old := range []tokenstore.OAuthToken{{RefreshToken: first.RefreshToken}, {GrantToken: first.GrantToken}} {
		old.ClientID, old.ClientSecret = first.ClientID, first.ClientSecret
		if found, err := w.store.FindToken(t.Context(), old); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("found by what was replaced: %v, %v", found.ID, err)
		}
	}
}

// TestEmptyParameters: one that is there and empty says nothing.
func TestEmptyParameters(t *testing.T) {
	w := newWorld(t, nil)
	callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	callback.Set("accounts-server", "")
	if token, err := w.login.Exchange(t.Context(), callback); err != nil || token.APIDomain != zoho.EU.APIDomain() {
		t.Errorf("%v, %v", token, err)
	}
}

// TestMailBecomesMailAndOrganisation: a row that is stored under the mail alone becomes that
// of the user, with a remark.
func TestMailBecomesMailAndOrganisation(t *testing.T) {
	w := newWorld(t, nil)
	old, err := w.store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "a@zylker.example", ClientID: w.server.ClientID(), RefreshToken: "old"})
	must(t, err)
	other, err := w.store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "b@zylker.example", ClientID: "another client", RefreshToken: "other"})
	must(t, err)
	for _, user := range []string{userA, userB} {
		_, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), user, "accept"))
		must(t, err)
	}
	a, err := w.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: userA})
	if err != nil || a.ID != old.ID || a.RefreshToken == "old" {
		t.Errorf("the row was not joined: %v", err)
	}
	b, err := w.store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: userB})
	if err != nil || b.ID == other.ID {
		t.Errorf("another client's row was joined: %v", err)
	}
	if len(w.tokens(t)) != 3 || strings.Count(w.log.String(), "level=INFO") != 1 {
		t.Errorf("%d rows; log: %s", len(w.tokens(t)), w.log)
	}
}

// TestMailOfAnotherDataCenter: one mail can have an account in each data centre. The row of
// another account is left alone.
func TestMailOfAnotherDataCenter(t *testing.T) {
	for domain, joined := range map[string]bool{"https://www.zohoapis.com": false, "https://sandbox.zohoapis.eu": true, "https://api.evil.example": false} {
		w := newWorld(t, nil)
		old, err := w.store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "a@zylker.example", ClientID: w.server.ClientID(), RefreshToken: "old", APIDomain: domain})
		must(t, err)
		token, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept"))
		if err != nil || (token.ID == old.ID) != joined {
			t.Errorf("%s: joined is %t, %v", domain, token.ID == old.ID, err)
		}
	}
}

// TestNoName: a name that is empty is none, and not that of a token without a user.
func TestNoName(t *testing.T) {
	w := newWorld(t, nil)
	w.login.UserName = func(context.Context, tokenstore.OAuthToken) (string, error) { return "", nil }
	if token, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept")); err == nil {
		t.Errorf("logged in as nobody: %v", token)
	}
}

// TestCallbacksThatAreNone: what an attacker or a refusal sends stores nothing.
func TestCallbacksThatAreNone(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "reject")); !errors.Is(err, zoho.ErrDeclined) {
		t.Errorf("declined: %v", err)
	}
	good := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	for name, change := range map[string]func(url.Values){
		"no code":                func(v url.Values) { v.Del("code") },
		"another error":          func(v url.Values) { v.Set("error", "server_error") },
		"an unknown server":      func(v url.Values) { v.Set("accounts-server", "https://accounts.evil.example") },
		"an unknown location":    func(v url.Values) { v.Set("location", "mars") },
		"two different places":   func(v url.Values) { v.Set("location", "in") },
		"a server without https": func(v url.Values) { v.Set("accounts-server", "http://accounts.zoho.eu") },
	} {
		callback := url.Values{}
		for k, v := range good {
			callback[k] = v
		}
		change(callback)
		if _, err := w.login.Exchange(t.Context(), callback); !errors.Is(err, zoho.ErrCallback) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all := w.tokens(t); len(all) != 0 || w.server.Counts().Requests != 0 {
		t.Errorf("%d rows and %d requests", len(all), w.server.Counts().Requests)
	}
	good.Set("code", "1000.a-code-that-was-spent")
	if _, err := w.login.Exchange(t.Context(), good); !errors.Is(err, tokensource.ErrNeedsConsent) || len(w.tokens(t)) != 0 {
		t.Errorf("a spent code: %v, and %d rows", err, len(w.tokens(t)))
	}
}

// TestUserNameCannotBeFound: the token stays stored under its grant, and the login can be
// completed later.
func TestUserNameCannotBeFound(t *testing.T) {
	w := newWorld(t, nil)
	w.login.Scopes = []string{"ZohoCRM.modules.READ"}
	callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	if _, err := w.login.Exchange(t.Context(), callback); err == nil || !strings.Contains(err.Error(), "ZohoCRM.users.READ") {
		t.Errorf("without the scope: %v", err)
	}
	if all := w.tokens(t); len(all) != 1 || all[0].RefreshToken == "" {
		t.Fatalf("the token is lost: %d rows", len(all))
	}
	w.login.UserName = func(context.Context, tokenstore.OAuthToken) (string, error) { return "a customer", nil }
	token, err := w.login.Exchange(t.Context(), callback)
	if err != nil || token.UserName != "a customer" || w.server.Counts().Requests != 1 {
		t.Errorf("%q, %v, %d requests", token.UserName, err, w.server.Counts().Requests)
	}
}

// TestDataCenterWithItsOwnSecret: the secret of the data centre that gave the code is sent.
func TestDataCenterWithItsOwnSecret(t *testing.T) {
	w := newWorld(t, nil)
	w.login.ClientSecret = "the secret in the US"
	w.login.Secrets = map[zoho.DataCenter]string{zoho.EU: w.server.ClientSecret()}
	token, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept"))
	if err != nil || token.ClientSecret != w.server.ClientSecret() {
		t.Errorf("%v", err)
	}
}

// TestDataCenterOfAClient: it may be written in capitals, as people do; one that is unknown is
// an error and not a redirect to a page of the application's own.
func TestDataCenterOfAClient(t *testing.T) {
	start := func(d zoho.DataCenter) *httptest.ResponseRecorder {
		l := &zoho.Login{ClientID: "c", RedirectURL: "https://app.example/callback", Scopes: zoho.CRMScopes(), DataCenter: d}
		answer := httptest.NewRecorder()
		l.Start(answer, httptest.NewRequest(http.MethodGet, "/login", nil))
		return answer
	}
	for d, host := range map[zoho.DataCenter]string{"": "accounts.zoho.com", "EU": "accounts.zoho.eu", "eu": "accounts.zoho.eu"} {
		if answer := start(d); !strings.HasPrefix(answer.Header().Get("Location"), "https://"+host+"/oauth/v2/auth?") {
			t.Errorf("%q: %d to %s", d, answer.Code, answer.Header().Get("Location"))
		}
	}
	if answer := start("europe"); answer.Code != http.StatusInternalServerError || answer.Header().Get("Location") != "" || !strings.Contains(answer.Body.String(), "europe") {
		t.Errorf("an unknown one: %d %s", answer.Code, answer.Body)
	}
	w := newWorld(t, nil)
	w.login.DataCenter = "europe"
	if _, err := w.login.Exchange(t.Context(), url.Values{"code": {"1000.code"}}); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("an unknown one: %v", err)
	}
	w.login.DataCenter, w.login.ClientSecret = "EU", "the secret of another place"
	w.login.Secrets = map[zoho.DataCenter]string{zoho.EU: w.server.ClientSecret()}
	callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	callback.Del("location")
	callback.Del("accounts-server")
	if token, err := w.login.Exchange(t.Context(), callback); err != nil || token.APIDomain != zoho.EU.APIDomain() {
		t.Errorf("%v, %v", token, err)
	}
}

// TestHandlers: a browser begins a login and comes back; one that did not begin it is
// refused.
func TestHandlers(t *testing.T) {
	w := newWorld(t, nil)
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()
	w.login.RedirectURL = app.URL + "/callback"
	mux.HandleFunc("/login", w.login.Start)
	mux.Handle("/callback", w.login.Callback(func(out http.ResponseWriter, _ *http.Request, token tokenstore.OAuthToken, err error) {
		if err != nil {
			http.Error(out, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = out.Write([]byte("Hello " + token.UserName))
	}))
	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(client *http.Client, path string) (int, string, string) {
		response, err := client.Get(app.URL + path)
		must(t, err)
		defer func() { must(t, response.Body.Close()) }()
		text := make([]byte, 400)
		n, _ := response.Body.Read(text)
		return response.StatusCode, response.Header.Get("Location"), string(text[:n])
	}
	status, consentPage, _ := get(browser, "/login")
	if status != http.StatusFound || !regexp.MustCompile(`^https://accounts\.zoho\.com/oauth/v2/auth\?.*access_type=offline.*prompt=consent.*state=.{26}$`).MatchString(consentPage) {
		t.Fatalf("%d %s", status, consentPage)
	}
	callback := "/callback?" + w.consent(t, consentPage, userA, "accept").Encode()
	if status, _, text := get(http.DefaultClient, callback); status != http.StatusForbidden || !strings.Contains(text, "did not begin it") {
		t.Errorf("another browser: %d %s", status, text)
	}
	if status, _, text := get(browser, strings.Replace(callback, "state=", "state=x", 1)); status != http.StatusForbidden {
		t.Errorf("another state: %d %s", status, text)
	}
	if status, _, text := get(browser, callback); status != http.StatusOK || text != "Hello "+userA {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := get(browser, callback); status != http.StatusForbidden {
		t.Errorf("a state can be used again: %d", status)
	}
}

// TestFieldsThatAreNotSet: what a program has forgotten is an error that names it, and no panic.
func TestFieldsThatAreNotSet(t *testing.T) {
	answer := httptest.NewRecorder()
	(&zoho.Login{}).Start(answer, httptest.NewRequest(http.MethodGet, "/login", nil))
	_, exchange := (&zoho.Login{ClientID: "c"}).Exchange(t.Context(), url.Values{"code": {"1000.code"}})
	_, call := zoho.Client(nil, userA).Get("/crm/v8/org") //nolint:bodyclose // There is none.
	manager := &zoho.TokenManager[accessTokenResponse]{}
	_, load := manager.LoadAccessAndRefreshToken()
	for what, c := range map[string]struct {
		err   error
		names []string
	}{
		"Start":    {errors.New(answer.Body.String()), []string{"Login.ClientID", "Login.RedirectURL", "Login.Scopes"}},
		"Exchange": {exchange, []string{"Login.RedirectURL", "Login.Source", "Login.Store"}},
		"a call":   {call, []string{"Transport.Source"}},
		"Logout":   {zoho.Logout{}.ID(t.Context(), "1"), []string{"Logout.Store"}},
		"a load":   {load, []string{"TokenManager.Store"}},
		"a save":   {manager.SaveTokens(accessTokenResponse{AccessToken: "a"}), []string{"TokenManager.Store"}},
	} {
		if c.err == nil || what != "Start" && !errors.Is(c.err, tokenstore.ErrInvalidArgument) {
			t.Errorf("%s: %v", what, c.err)
			continue
		}
		for _, name := range c.names {
			if !strings.Contains(c.err.Error(), name) {
				t.Errorf("%s: %v does not name %s", what, c.err, name)
			}
		}
	}
}
