package tokensource_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

// refuser is a provider that refuses every refresh token.
type refuser struct{}

func (refuser) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{}, tokensource.ErrNeedsConsent
}

// TestRefusedTellsOfTheStoredToken, from the refusal to the next login.
func TestRefusedTellsOfTheStoredToken(t *testing.T) {
	store := secretstore.NewMemory()
	query := tokenstore.OAuthToken{UserName: "mail:1"}
	refused := func() (time.Time, bool) {
		t.Helper()
		row, err := store.FindNoted(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		return tokensource.Refused(row)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "mail:1", ClientID: "c", ClientSecret: "s", RefreshToken: "old"}); err != nil {
		t.Fatal(err)
	}
	if since, is := refused(); is || !since.IsZero() {
		t.Errorf("before anything was redeemed: %v, %v", since, is)
	}
	source, err := tokensource.New(store, refuser{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context(), query); !errors.Is(err, tokensource.ErrNeedsConsent) {
		t.Fatal(err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if since, is := refused(); !is || time.Since(since).Abs() > time.Minute {
		t.Errorf("after the refusal: %v, %v", since, is)
	}
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "mail:1", RefreshToken: "new"}); err != nil {
		t.Fatal(err)
	}
	if since, is := refused(); is || !since.IsZero() {
		t.Errorf("after a new login: %v, %v", since, is)
	}
}
