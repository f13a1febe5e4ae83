package zoho_test

import (
	"errors"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/zoho"
)

// What github.com/schmorrison/Zoho declares, copied from its storage.go: the token, the
// interface of its token manager, and the error that it expects with an expired token.
type accessTokenResponse struct {
	AccessToken  string `json:"access_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in,omitempty"`
	APIDomain    string `json:"api_domain,omitempty"`
	TokenType    string `json:"token_type,omitempty"`
	Error        string `json:"error,omitempty"`
}

type tokenLoaderSaver interface {
	SaveTokens(t accessTokenResponse) error
	LoadAccessAndRefreshToken() (accessTokenResponse, error)
}

var errTokenExpired = errors.New("zoho: oAuth2 token already expired")

var _ tokenLoaderSaver = (*zoho.TokenManager[accessTokenResponse])(nil)

func newManager(store tokenstore.Store) *zoho.TokenManager[accessTokenResponse] {
	return &zoho.TokenManager[accessTokenResponse]{
		Store:   store,
		Token:   tokenstore.OAuthToken{UserName: userA, ClientID: "c", ClientSecret: "s"},
		Expired: errTokenExpired,
		From: func(saved accessTokenResponse, now time.Time) tokenstore.OAuthToken {
			return tokenstore.OAuthToken{
				AccessToken: saved.AccessToken, RefreshToken: saved.RefreshToken, APIDomain: saved.APIDomain,
				Expiry: now.Add(time.Duration(saved.ExpiresIn) * time.Second),
			}
		},
		To: func(stored tokenstore.OAuthToken, now time.Time) accessTokenResponse {
			return accessTokenResponse{
				AccessToken: stored.AccessToken, RefreshToken: stored.RefreshToken, APIDomain: stored.APIDomain,
				ExpiresIn: int(stored.Expiry.Sub(now).Seconds()), TokenType: "Bearer",
			}
		},
	}
}

// TestTokenManager: the client's own cycle of login, load, expiry, refresh and refusal.
func TestTokenManager(t *testing.T) {
	store, err := tokenstore.Open(t.Context(), "memory:")
	must(t, err)
	var manager tokenLoaderSaver = newManager(store)
	if _, err := manager.LoadAccessAndRefreshToken(); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("nothing stored: %v", err)
	}
	must(t, manager.SaveTokens(accessTokenResponse{AccessToken: "A1", RefreshToken: "R", ExpiresIn: 3600, APIDomain: zoho.EU.APIDomain()}))
	got, err := manager.LoadAccessAndRefreshToken()
	if err != nil || got.AccessToken != "A1" || got.RefreshToken != "R" || got.ExpiresIn < 3590 || got.APIDomain != zoho.EU.APIDomain() {
		t.Errorf("%+v, %v", got, err)
	}
	// A refresh brings no refresh token: the stored one stays.
	must(t, manager.SaveTokens(accessTokenResponse{AccessToken: "A2", ExpiresIn: -1}))
	got, err = manager.LoadAccessAndRefreshToken()
	if !errors.Is(err, errTokenExpired) || got.AccessToken != "A2" || got.RefreshToken != "R" {
		t.Errorf("an expired token comes with its refresh token and the client's error: %+v, %v", got, err)
	}
	// schmorrison/Zoho#12: the reply to a refused refresh was saved over the token.
	if err := manager.SaveTokens(accessTokenResponse{Error: "invalid_code"}); err == nil {
		t.Error("a refusal was saved")
	}
	stored, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: userA})
	if err != nil || stored.AccessToken != "A2" || stored.RefreshToken != "R" || stored.ClientID != "c" {
		t.Errorf("%+v, %v", stored, err)
	}
}
