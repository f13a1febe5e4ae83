package command

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/secretstore"
)

// redirected sends every request to an accounts server of a test.
type redirected struct {
	accounts *accountstest.Server
	fails    atomic.Int64 // the first requests, as of a gateway
}

func (r *redirected) RoundTrip(request *http.Request) (*http.Response, error) {
	if r.fails.Add(-1) >= 0 {
		return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody, Request: request}, nil
	}
	to, err := url.Parse(r.accounts.URL)
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host, request.Host = to.Scheme, to.Host, to.Host
	return http.DefaultTransport.RoundTrip(request)
}

// withProvider runs the command with an accounts server, and fails if it shows one of the
// tokens' credentials.
func withProvider(t *testing.T, accounts *accountstest.Server, tokens []tokenstore.OAuthToken, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return withTransport(t, &redirected{accounts: accounts}, tokens, args...)
}

func withTransport(t *testing.T, transport http.RoundTripper, tokens []tokenstore.OAuthToken, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	c := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, HTTP: &http.Client{Transport: transport}}
	code = c.Run(t.Context(), args)
	for _, token := range tokens {
		for _, credential := range []string{token.RefreshToken, token.AccessToken} {
			if credential != "" && strings.Contains(out.String()+errs.String(), credential) {
				t.Errorf("%v shows a credential:\n%s%s", args, out.String(), errs.String())
			}
		}
	}
	return code, out.String(), errs.String()
}

// loggedIn returns an accounts server, and two users' tokens.
func loggedIn(t *testing.T) (*accountstest.Server, []tokenstore.OAuthToken) {
	t.Helper()
	accounts := accountstest.NewServer(accountstest.Zoho())
	t.Cleanup(accounts.Close)
	var tokens []tokenstore.OAuthToken
	for _, id := range []string{"1", "2"} {
		token := accounts.Login(accountstest.User{})
		token.ID, token.UserName, token.APIDomain = id, "user"+id, "https://www.zohoapis.eu"
		tokens = append(tokens, token)
	}
	return accounts, tokens
}

func TestRefresh(t *testing.T) {
	accounts, tokens := loggedIn(t)
	at, store := kept(t, nil, tokens...)
	if code, out, errs := withProvider(t, accounts, tokens, "refresh", at, "1", "--dry-run"); code != exitOK || !strings.Contains(out, "1 would be refreshed (dry run") || token(t, store, "1").AccessToken != tokens[0].AccessToken {
		t.Errorf("a dry run: exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := withProvider(t, accounts, tokens, "refresh", at, "1", "nobody")
	now := token(t, store, "1")
	if code != exitNotFound || !strings.Contains(out, "2 tokens: 1 refreshed, 1 not there") || !strings.Contains(out, "expires 20") || now.AccessToken == tokens[0].AccessToken || !accounts.Alive(now.AccessToken) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if token(t, store, "2").AccessToken != tokens[1].AccessToken {
		t.Error("another token was refreshed")
	}
	if code, _, errs := withProvider(t, accounts, tokens, "refresh", "memory:", "1"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if code, _, errs := withProvider(t, accounts, tokens, "refresh", at); code != exitUsage {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// TestRefreshOfWhatIsRevoked says that the user has to consent again, and the status knows.
func TestRefreshOfWhatIsRevoked(t *testing.T) {
	accounts, tokens := loggedIn(t)
	at, _ := kept(t, nil, tokens...)
	accounts.Withdraw(accountstest.User{})
	code, out, errs := withProvider(t, accounts, tokens, "refresh", at, "1")
	if code != exitIncomplete || !strings.Contains(out, "1 token: 1 refused by the provider") || !strings.Contains(out, "has to consent again") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := withProvider(t, accounts, tokens, "status", at, "--deep"); code != exitIncomplete || !strings.Contains(out, "user1") || strings.Contains(out, "user2") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestRefreshWantsADataCenter for a token that does not say where it is from.
func TestRefreshWantsADataCenter(t *testing.T) {
	accounts, tokens := loggedIn(t)
	tokens[0].APIDomain = ""
	at, _ := kept(t, nil, tokens...)
	if code, out, errs := withProvider(t, accounts, tokens, "refresh", at, "1"); code != exitFault || !strings.Contains(out, "1 failed") || !strings.Contains(out, "--data-center") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := withProvider(t, accounts, tokens, "refresh", at, "1", "--data-center", "eu"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := withProvider(t, accounts, tokens, "refresh", at, "1", "--data-center", "fake-refresh"); code != exitUsage || !strings.Contains(errs, "unknown data centre; they are") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestRevoke(t *testing.T) {
	accounts, tokens := loggedIn(t)
	at, store := kept(t, nil, tokens...)
	for flag, says := range map[string]string{"--dry-run": "1 would be revoked and deleted (dry run", "--json": "--yes"} {
		_, out, errs := withProvider(t, accounts, tokens, "revoke", at, "1", flag)
		if !strings.Contains(out+errs, says) || !accounts.Redeemable(tokens[0].RefreshToken) {
			t.Errorf("%s:\n%s%s", flag, out, errs)
		}
	}
	holds(t, store, "1", "2")
	code, out, errs := withProvider(t, accounts, tokens, "revoke", at, "--user", "user1", "--yes")
	if code != exitOK || !strings.Contains(out, "1 token: 1 revoked and deleted") || accounts.Redeemable(tokens[0].RefreshToken) || !accounts.Redeemable(tokens[1].RefreshToken) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "2")
}

// TestRevokeThatFailsDeletesNothing, and can be run again.
func TestRevokeThatFailsDeletesNothing(t *testing.T) {
	accounts, tokens := loggedIn(t)
	at, store := kept(t, nil, tokens...)
	gateway := &redirected{accounts: accounts}
	gateway.fails.Store(1)
	code, out, errs := withTransport(t, gateway, tokens, "revoke", at, "1", "2", "--yes")
	if code != exitFault || !strings.Contains(out, "not revoked, and still stored") || !strings.Contains(out, "2 tokens: 1 failed, 1 revoked and deleted") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store, "1")
	if code, out, errs = withProvider(t, accounts, tokens, "revoke", at, "1", "--yes"); code != exitOK {
		t.Errorf("again: exit code %d\n%s%s", code, out, errs)
	}
	holds(t, store)
}

// TestADryRevokeSaysWhatWouldFail: a token of which nobody knows where it was issued.
func TestADryRevokeSaysWhatWouldFail(t *testing.T) {
	accounts, tokens := loggedIn(t)
	tokens[0].APIDomain = ""
	at, store := kept(t, nil, tokens...)
	for _, flag := range []string{"--dry-run", "--yes"} {
		code, out, errs := withProvider(t, accounts, tokens, "revoke", at, "1", flag)
		if code != exitFault || !strings.Contains(out, "1 token: 1 failed") || !strings.Contains(out, "not revoked, and still stored") || !strings.Contains(out, "--data-center") {
			t.Errorf("%s: exit code %d\n%s%s", flag, code, out, errs)
		}
	}
	holds(t, store, "1", "2")
	if code, out, errs := withProvider(t, accounts, tokens, "revoke", at, "1", "--data-center", "eu", "--dry-run"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestRevokeLeavesANewLogin: the user logs in again while the old token is revoked.
func TestRevokeLeavesANewLogin(t *testing.T) {
	var store *secretstore.Store
	at, store := kept(t, nil, numbered("1")...)
	var out, errs strings.Builder
	c := Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Revoke: func(ctx context.Context, revoked tokenstore.OAuthToken) error {
		if revoked.RefreshToken != "fake-refresh1" {
			t.Error("another token is revoked than was shown")
		}
		_, err := store.SaveToken(ctx, tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-of-a-new-login"})
		return err
	}}
	if code := c.Run(t.Context(), []string{"revoke", at, "1", "--yes"}); code != exitIncomplete || !strings.Contains(out.String(), "1 changed meanwhile") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	holds(t, store, "1")
}
