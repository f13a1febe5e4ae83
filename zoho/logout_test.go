package zoho_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// TestLogout: revoked first, then deleted; what failed can be repeated.
func TestLogout(t *testing.T) {
	w := newWorld(t, nil)
	logout := zoho.Logout{Store: w.store, HTTP: w.server.Client()}
	token := w.signIn(t)
	must(t, logout.Token(t.Context(), tokenstore.OAuthToken{UserName: userA}))
	if w.server.Redeemable(token.RefreshToken) || w.server.Alive(token.AccessToken) || len(w.tokens(t)) != 0 {
		t.Error("the token lives on, or is stored")
	}
	if err := logout.Token(t.Context(), tokenstore.OAuthToken{UserName: userA}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	again := w.signIn(t)
	must(t, logout.ID(t.Context(), again.ID))
	if w.server.Redeemable(again.RefreshToken) || len(w.tokens(t)) != 0 {
		t.Error("by ID: the token lives on, or is stored")
	}
	// Revoking fails: all stands, and the same call finishes it.
	w.signIn(t)
	down := zoho.Logout{Store: w.store, HTTP: &http.Client{Transport: &answer{status: 503, body: "<html>" + canary}}}
	err := down.Token(t.Context(), tokenstore.OAuthToken{UserName: userA})
	if err == nil || len(w.tokens(t)) != 1 || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "still stored") {
		t.Errorf("down: %v", err)
	}
	must(t, logout.Token(t.Context(), tokenstore.OAuthToken{UserName: userA}))
	// Deleting fails: the token is worth nothing, and the same call finishes it.
	token = w.signIn(t)
	stuck := zoho.Logout{Store: undeletable{w.store}, HTTP: w.server.Client()}
	if err := stuck.ID(t.Context(), token.ID); !errors.Is(err, tokenstore.ErrUnavailable) || w.server.Redeemable(token.RefreshToken) || len(w.tokens(t)) != 1 {
		t.Errorf("not deleted: %v", err)
	}
	must(t, logout.ID(t.Context(), token.ID))
	if len(w.tokens(t)) != 0 {
		t.Error("still stored")
	}
}

// TestAnswersToARevocation: only Zoho's own word makes a token revoked.
func TestAnswersToARevocation(t *testing.T) {
	for _, c := range []struct {
		answer answer
		kind   error
		good   bool
	}{
		{answer: answer{status: 200, body: `{"status":"success"}`}, good: true},
		{answer: answer{status: 400, body: `{"error":"invalid_token"}`}, good: true},
		{answer: answer{status: 200, body: `{"error":"invalid_code"}`}, good: true},
		{answer: answer{status: 503, body: `{"error":"invalid_token"}`}},
		{answer: answer{status: 503, body: `{"status":"success"}`}},
		{answer: answer{status: 302, body: `{"status":"success"}`}},
		{answer: answer{status: 200, body: `<html>` + canary}},
		{answer: answer{status: 200, body: `{"status":"failure"}`}},
		{answer: answer{status: 200}},
		{answer: answer{status: 429, body: `<html>`}, kind: tokensource.ErrThrottled},
		{answer: answer{status: 400, body: `{"error":"Access Denied","status":"failure"}`}, kind: tokensource.ErrThrottled},
	} {
		err := zoho.Logout{HTTP: &http.Client{Transport: &c.answer}}.Revoke(t.Context(), stored())
		if (err == nil) != c.good || c.kind != nil && !errors.Is(err, c.kind) || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%d %s: %v", c.answer.status, c.answer.body, err)
		}
	}
}

// TestLogoutInTheWrongDataCenter: a data centre that was set for tokens without an API domain
// may be the wrong one, which does not know the token. That is not a revocation.
func TestLogoutInTheWrongDataCenter(t *testing.T) {
	w := newWorld(t, nil)
	token := w.server.Login(accountstest.User{})
	token.APIDomain = ""
	saved, err := w.store.SaveToken(t.Context(), token)
	must(t, err)
	for _, reply := range []answer{{status: 400, body: `{"error":"invalid_token"}`}, {status: 200, body: `{"error":"invalid_code"}`}} {
		wrong := zoho.Logout{Store: w.store, DataCenter: zoho.IN, HTTP: &http.Client{Transport: &reply}}
		if err := wrong.ID(t.Context(), saved.ID); !errors.Is(err, tokensource.ErrMisconfigured) || len(w.tokens(t)) != 1 {
			t.Errorf("at the wrong one: %v, and %d rows", err, len(w.tokens(t)))
		}
	}
	must(t, zoho.Logout{Store: w.store, DataCenter: zoho.EU, HTTP: w.server.Client()}.ID(t.Context(), saved.ID))
	if len(w.tokens(t)) != 0 || w.server.Redeemable(token.RefreshToken) {
		t.Error("at the right one: the token lives on")
	}
}

type undeletable struct{ tokenstore.Store }

func (undeletable) DeleteToken(context.Context, string) error { return tokenstore.ErrUnavailable }

// TestLogoutAndLoginAtOnce: a login while a logout is on its way is not undone.
func TestLogoutAndLoginAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(t)
	logout := zoho.Logout{Store: w.store, HTTP: &http.Client{Transport: during{w.server.Client().Transport, func() {
		again := w.server.Login(accountstest.User{})
		again.APIDomain = zoho.EU.APIDomain()
		_, err := w.store.SaveToken(t.Context(), again)
		must(t, err)
	}}}}
	must(t, logout.ID(t.Context(), token.ID))
	if all := w.tokens(t); len(all) != 1 || !w.server.Redeemable(all[0].RefreshToken) {
		t.Errorf("%d rows", len(all))
	}
}

// TestLogoutDeletesWhatItRevoked: a login or a refresh may come between the last look at a
// row and its deletion.
func TestLogoutDeletesWhatItRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		between func(*world, tokenstore.OAuthToken) tokenstore.OAuthToken
		stays   bool
	}{
		"a login": {func(w *world, _ tokenstore.OAuthToken) tokenstore.OAuthToken { return login(w.server) }, true},
		"a refresh": {func(_ *world, token tokenstore.OAuthToken) tokenstore.OAuthToken {
			token.AccessToken = "another"
			return token
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			token := w.signIn(t)
			looks := 0
			store := afterLook{w.store, func() {
				if looks++; looks == 2 { // The first one finds what to revoke.
					_, err := w.store.SaveToken(t.Context(), c.between(w, token))
					must(t, err)
				}
			}}
			must(t, zoho.Logout{Store: store, HTTP: w.server.Client()}.ID(t.Context(), token.ID))
			if all := w.tokens(t); (len(all) == 1) != c.stays || looks < 2 {
				t.Errorf("%d rows after %d looks", len(all), looks)
			}
		})
	}
}

// afterLook does something after each look at a token.
type afterLook struct {
	tokenstore.Store
	do func()
}

func (s afterLook) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	token, err := s.Store.FindTokenByID(ctx, id)
	s.do()
	return token, err
}

func (s afterLook) Unwrap() tokenstore.Store { return s.Store }

// during is a transport that does something after each request.
type during struct {
	base http.RoundTripper
	do   func()
}

func (d during) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.base.RoundTrip(r)
	d.do()
	return response, err
}

// TestLateRefreshAfterLogout: a refresh that was in flight brings nothing back.
func TestLateRefreshAfterLogout(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(t)
	token.Expiry = time.Now().Add(-time.Hour)
	_, err := w.store.SaveToken(t.Context(), token)
	must(t, err)
	logout := zoho.Logout{Store: w.store, HTTP: w.server.Client()}
	w.server.After(func(accountstest.Request) { must(t, logout.ID(t.Context(), token.ID)) })
	if _, err := w.source.Token(t.Context(), tokenstore.OAuthToken{UserName: userA}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the late refresh: %v", err)
	}
	if all := w.tokens(t); len(all) != 0 {
		t.Errorf("%d rows came back", len(all))
	}
}
