// A Source as an oauth2.TokenSource.

package oauth2_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	tokenoauth2 "example.com/tokenstore/tokensource/oauth2"
)

// source returns a Source over a store in memory that holds the token.
func source(t *testing.T, s *accountstest.Server, token tokenstore.OAuthToken) (*tokensource.Source, tokenstore.Store) {
	t.Helper()
	store := secretstore.NewMemory()
	if _, err := store.SaveToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	source, err := tokensource.New(store, tokenoauth2.NewRedeemer(configOf(s)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return source, store
}

// TestTokenSource: an expired token is refreshed and saved, and an oauth2 client uses the new one.
func TestTokenSource(t *testing.T) {
	s := accountstest.NewServer(accountstest.Config{Kind: accountstest.RevokeFamily})
	t.Cleanup(s.Close)
	token := s.Login(accountstest.User{})
	token.Expiry = time.Now().Add(-time.Minute)
	src, store := source(t, s, token)
	query := tokenstore.OAuthToken{UserName: token.UserName}
	tokens := tokenoauth2.TokenSource(t.Context(), src, query, tokenoauth2.WithType("Zoho-oauthtoken"))
	got, err := tokens.Token()
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken == token.AccessToken || !s.Alive(got.AccessToken) || got.RefreshToken != "" || got.Type() != "Zoho-oauthtoken" || !got.Valid() {
		t.Errorf("the token is not the new one: alive %v, refresh token %v, type %s, until %s", s.Alive(got.AccessToken), got.RefreshToken != "", got.Type(), got.Expiry)
	}
	stored, err := store.FindToken(t.Context(), query)
	if err != nil || stored.AccessToken != got.AccessToken || !s.Redeemable(stored.RefreshToken) {
		t.Errorf("the store has %v, %v", stored, err)
	}
	resp, err := oauth2.NewClient(t.Context(), tokens).Get(s.URL + "/api/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the call is answered %d, %v", resp.StatusCode, err)
	}
	if uses := s.Uses(token.RefreshToken); uses != (accountstest.Uses{Requests: 1, Redemptions: 1}) {
		t.Errorf("uses are %+v", uses)
	}
	if kind := tokenType(t, tokenoauth2.TokenSource(t.Context(), src, query)); kind != "Bearer" {
		t.Errorf("the type is %q by default", kind)
	}
}

func tokenType(t *testing.T, s oauth2.TokenSource) string {
	t.Helper()
	got, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	return got.TokenType
}

// TestTokenSourceContext: the context that is bound ends every call, and nothing else does.
func TestTokenSourceContext(t *testing.T) {
	s := accountstest.NewServer(accountstest.Config{})
	t.Cleanup(s.Close)
	token := s.Login(accountstest.User{})
	src, _ := source(t, s, token)
	ctx, cancel := context.WithCancel(t.Context())
	tokens := tokenoauth2.TokenSource(ctx, src, tokenstore.OAuthToken{UserName: token.UserName})
	if _, err := tokens.Token(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if got, err := tokens.Token(); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("after the end of its context: %v", err)
	}
	if _, err := tokenoauth2.TokenSource(t.Context(), src, tokenstore.OAuthToken{UserName: "nobody"}).Token(); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("an unknown user: %v", err)
	}
}

// TestSourceShowsReason: an operator sees the status and the code, which a Source takes over.
func TestSourceShowsReason(t *testing.T) {
	s := accountstest.NewServer(accountstest.Config{})
	t.Cleanup(s.Close)
	token := s.Login(accountstest.User{})
	token.Expiry = time.Now().Add(-time.Minute)
	src, _ := source(t, s, token)
	s.Next(accountstest.Fault{Error: "invalid_client", Status: 401})
	_, err := src.Token(t.Context(), tokenstore.OAuthToken{UserName: token.UserName})
	if !errors.Is(err, tokensource.ErrMisconfigured) || !strings.HasSuffix(err.Error(), "status 401 and invalid_client") {
		t.Errorf("the error is %v", err)
	}
}
