// The way of a browser: login page, consent, code, tokens, calls, and revocation.

package accountstest_test

import (
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"example.com/tokenstore/accountstest"
)

// input matches the hidden fields of the page.
var input = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// login opens the login page and presses a button, as a browser does, and returns where it
// is sent.
func (s server) login(t *testing.T, query url.Values, answer, user string) url.Values {
	t.Helper()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(s.AuthURL() + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), ">Accept</button>") {
		t.Fatalf("the page is answered %d: %s", resp.StatusCode, body)
	}
	form := url.Values{"answer": {answer}}
	if user != "" {
		form.Set("user", user)
	}
	for _, m := range input.FindAllStringSubmatch(string(body), -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	resp, err = stay.PostForm(s.AuthURL(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	if base, _, _ := strings.Cut(query.Get("redirect_uri"), "?"); !strings.HasPrefix(to.String(), base+"?") {
		t.Fatalf("sent to %s%s", to.Host, to.Path)
	}
	return to.Query()
}

// asks returns the parameters of a login.
func (s server) asks(extra ...string) url.Values {
	query := url.Values{
		"response_type": {"code"}, "client_id": {s.ClientID()}, "redirect_uri": {"http://127.0.0.1/back?x=1"},
		"state": {"a+b&c"}, "scope": {"ZohoCRM.users.READ,ZohoCRM.org.READ"},
	}
	for i := 0; i < len(extra); i += 2 {
		query.Set(extra[i], extra[i+1])
	}
	return query
}

// TestWebLogin: consent, code, tokens, and the calls that tell whose token it is.
func TestWebLogin(t *testing.T) {
	config := accountstest.Zoho()
	config.Users = []accountstest.User{{Email: "first@example.com", Org: "1"}, {Email: "second@example.com", Name: "Second", Org: "2"}}
	s, _ := start(t, config)
	back := s.login(t, s.asks("access_type", "offline"), "accept", "second@example.com:2")
	if back.Get("state") != "a+b&c" || back.Get("x") != "1" || back.Get("location") != "us" || back.Get("accounts-server") != s.URL {
		t.Errorf("the redirect carries %v", back)
	}
	form := s.client("grant_type", "authorization_code", "code", back.Get("code"), "redirect_uri", "http://127.0.0.1/back?x=1")
	wrong := s.client("grant_type", "authorization_code", "code", back.Get("code"), "redirect_uri", "http://127.0.0.1/other")
	if got := s.post(t, wrong); got.err != "invalid_code" { // RFC 6749, section 4.1.3: it must be the same.
		t.Errorf("with another redirect_uri: %+v", got)
	}
	token := s.post(t, form)
	if token.access == "" || token.refresh == "" {
		t.Fatalf("the exchange gives %+v", token)
	}
	if got := s.post(t, form); got.err != "invalid_code" {
		t.Errorf("the second exchange gives %+v", got)
	}

	var users struct{ Users []struct{ Email string } }
	var org struct{ Org []struct{ ZGID string } }
	for path, into := range map[string]any{"/crm/v8/users?type=CurrentUser": &users, "/crm/v8/org": &org} {
		status, body := s.get(t, path, "Zoho-oauthtoken "+token.access)
		if err := json.Unmarshal([]byte(body), into); err != nil || status != 200 {
			t.Fatalf("%s: %d, %v", path, status, err)
		}
	}
	if users.Users[0].Email+":"+org.Org[0].ZGID != "second@example.com:2" {
		t.Errorf("the token is of %v in %v", users, org)
	}
}

// TestOffline: Zoho gives a refresh token for access_type=offline only, and again only
// with prompt=consent.
func TestOffline(t *testing.T) {
	for _, c := range []struct {
		zoho  bool
		login [][]string
		want  bool
	}{
		{true, [][]string{{}}, false},
		{true, [][]string{{"access_type", "offline"}}, true},
		{true, [][]string{{"access_type", "offline"}, {"access_type", "offline"}}, false},
		{true, [][]string{{"access_type", "offline"}, {"access_type", "offline", "prompt", "consent"}}, true},
		{false, [][]string{{}, {}}, true},
	} {
		config := accountstest.Config{}
		if c.zoho {
			config = accountstest.Zoho()
		}
		s, _ := start(t, config)
		var got reply
		for _, extra := range c.login {
			code := s.login(t, s.asks(extra...), "accept", "").Get("code")
			got = s.post(t, s.client("grant_type", "authorization_code", "code", code, "redirect_uri", "http://127.0.0.1/back?x=1"))
		}
		if got.access == "" || (got.refresh != "") != c.want {
			t.Errorf("zoho %v, logins %v: a refresh token: %v, want %v (%s)", c.zoho, c.login, got.refresh != "", c.want, got.err)
		}
	}
}

// TestRefusedLogins: what sends the browser back with an error, and what keeps it.
func TestRefusedLogins(t *testing.T) {
	config := accountstest.Zoho()
	config.RedirectURL = "http://127.0.0.1/back?x=1"
	s, clock := start(t, config)
	if back := s.login(t, s.asks(), "reject", ""); back.Get("error") != "access_denied" || back.Has("code") || back.Get("state") == "" {
		t.Errorf("a rejection carries %v", back)
	}
	if back := s.login(t, s.asks("response_type", "token"), "accept", ""); back.Get("error") != "unsupported_response_type" {
		t.Errorf("another response type carries %v", back)
	}
	for _, query := range []url.Values{s.asks("client_id", "other"), s.asks("redirect_uri", "http://evil.example/"), s.asks("redirect_uri", "")} {
		resp, err := http.Get(s.AuthURL() + "?" + query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%v is answered %d", query, resp.StatusCode)
		}
	}
	for range 10 { // Zoho: 10 codes in 10 minutes.
		if back := s.login(t, s.asks(), "accept", ""); back.Get("code") == "" {
			t.Fatalf("a login carries %v", back)
		}
	}
	if back := s.login(t, s.asks(), "accept", ""); back.Get("error") != "access_denied" {
		t.Errorf("the 11th login carries %v", back)
	}
	clock.Advance(config.Limits.Window)
	if back := s.login(t, s.asks(), "accept", ""); back.Get("code") == "" {
		t.Errorf("after 10 minutes a login carries %v", back)
	}
}

// TestPKCE: RFC 7636, with the verifier and challenge of its appendix B.
func TestPKCE(t *testing.T) {
	s, _ := start(t, accountstest.Config{})
	query := s.asks("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256")
	code := s.login(t, query, "accept", "").Get("code")
	form := s.client("grant_type", "authorization_code", "code", code, "redirect_uri", query.Get("redirect_uri"))
	if got := s.post(t, form); got.err != "invalid_grant" {
		t.Errorf("without a verifier: %+v", got)
	}
	form.Set("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	if got := s.post(t, form); got.access == "" {
		t.Errorf("with the verifier: %+v", got)
	}
	if back := s.login(t, s.asks("code_challenge", "plain"), "accept", ""); back.Get("error") != "invalid_request" {
		t.Errorf("a plain challenge carries %v", back)
	}
}

// TestAPI: which access tokens and headers are accepted.
func TestAPI(t *testing.T) {
	s, clock := start(t, accountstest.Config{Form: accountstest.ZohoForm})
	token := s.Login(accountstest.User{})
	for header, want := range map[string]int{
		"Zoho-oauthtoken " + token.AccessToken: 200,
		"Bearer " + token.AccessToken:          200,
		"Basic " + token.AccessToken:           401,
		"Bearer " + token.RefreshToken:         401,
		"Bearer ":                              401,
		"":                                     401,
		"Zoho-oauthtoken " + token.AccessToken + "x":  401,
		"zoho-oauthtoken " + token.AccessToken:        200, // RFC 9110: a scheme's case does not count.
		"Zoho-oauthtoken  " + token.AccessToken + " ": 401,
	} {
		if got := s.call(t, header); got != want {
			t.Errorf("a header of %d bytes, %.8q…: %d, want %d", len(header), header, got, want)
		}
	}
	if _, body := s.get(t, "/api/", "Bearer x"); !strings.Contains(body, `"code":"INVALID_TOKEN"`) {
		t.Errorf("a refusal says %s", body)
	}
	clock.Advance(token.Expiry.Sub(clock.Now()) - 1)
	if got := s.call(t, "Bearer "+token.AccessToken); got != 200 {
		t.Errorf("before its expiry: %d", got)
	}
	clock.Advance(1)
	if got := s.call(t, "Bearer "+token.AccessToken); got != 401 {
		t.Errorf("at its expiry: %d", got)
	}
	fresh := s.Login(accountstest.User{})
	if !s.EndAccess(fresh.AccessToken) || s.EndAccess(fresh.AccessToken) || s.call(t, "Bearer "+fresh.AccessToken) != 401 {
		t.Error("an access token that a test has ended still works")
	}
	if !s.Redeemable(fresh.RefreshToken) {
		t.Error("its refresh token is gone too")
	}

	// A token without the scope.
	code := s.login(t, s.asks("scope", "ZohoCRM.org.READ"), "accept", "").Get("code")
	narrow := s.post(t, s.client("grant_type", "authorization_code", "code", code, "redirect_uri", "http://127.0.0.1/back?x=1"))
	if status, body := s.get(t, "/crm/v8/users", "Bearer "+narrow.access); status != 401 || !strings.Contains(body, "OAUTH_SCOPE_MISMATCH") {
		t.Errorf("without the scope: %d %s", status, body)
	}
	if status, _ := s.get(t, "/crm/v8/org", "Bearer "+narrow.access); status != 200 {
		t.Errorf("with the scope: %d", status)
	}
}

// TestRevoke: by the endpoint, and by the user.
func TestRevoke(t *testing.T) {
	for _, form := range []accountstest.Form{accountstest.RFC6749, accountstest.ZohoForm} {
		s, _ := start(t, accountstest.Config{Form: form})
		revoke := func(token string) int {
			resp, err := http.PostForm(s.RevokeURL()+"?token="+token, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		unknown := map[accountstest.Form]int{accountstest.RFC6749: 200, accountstest.ZohoForm: 400}[form]
		token, other := s.Login(accountstest.User{}), s.Login(accountstest.User{})
		if got := revoke("unknown"); got != unknown {
			t.Errorf("form %d: an unknown token: %d, want %d", form, got, unknown)
		}
		if got := revoke(token.RefreshToken); got != 200 {
			t.Errorf("form %d: a refresh token: %d", form, got)
		}
		if s.Alive(token.AccessToken) || s.Redeemable(token.RefreshToken) || s.refresh(t, token.RefreshToken).access != "" {
			t.Errorf("form %d: a revoked token works", form)
		}
		if got := revoke(token.RefreshToken); got != unknown {
			t.Errorf("form %d: a revoked token: %d, want %d", form, got, unknown)
		}
		if got := revoke(other.AccessToken); got != 200 || s.Alive(other.AccessToken) || !s.Redeemable(other.RefreshToken) {
			t.Errorf("form %d: revoking an access token: %d", form, got)
		}
		if n := s.Withdraw(accountstest.User{}); n != 1 || s.Redeemable(other.RefreshToken) {
			t.Errorf("form %d: a withdrawn consent revokes %d logins", form, n)
		}
	}
}

// TestClose: nothing is served after Close, which may be called twice.
func TestClose(t *testing.T) {
	s := accountstest.NewServer(accountstest.Config{})
	s.Close()
	s.Close()
	_, err := http.Get(s.URL) //nolint:bodyclose // There is no response.
	var refused *url.Error
	if !errors.As(err, &refused) {
		t.Errorf("after Close: %v", err)
	}
}
