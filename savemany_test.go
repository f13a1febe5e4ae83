package tokenstore_test

import (
	"slices"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
)

// TestSaveTokensOfOneRow saves one token under three names in one call: by its
// user, and twice by its ID with what it had before. Each save sees the one
// before it.
func TestSaveTokensOfOneRow(t *testing.T) {
	store := newStore(t, memory.New())
	first, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"})
	if err != nil {
		t.Fatal(err)
	}
	moved := first
	moved.APIDomain = "https://api.example"
	tokens := []tokenstore.OAuthToken{
		{UserName: "fake-user", APIDomain: moved.APIDomain},
		{ID: first.ID},
		{ID: "unknown", RefreshToken: "fake-refresh-2", AccessToken: "fake-access"},
	}
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil || stored[0] != moved || stored[1] != moved {
		t.Errorf("two saves of one token: %v, %v, %v", stored[0] == moved, stored[1] == moved, err)
	}
	rotated := []tokenstore.OAuthToken{
		{UserName: "fake-user", RefreshToken: "fake-refresh-3"},
		{ID: first.ID, RefreshToken: "fake-refresh-1"},
	}
	if stored, err = store.SaveTokens(t.Context(), rotated); err != nil || stored[1] != moved {
		t.Errorf("a token is rotated and rotated back: %v, %v", stored[1] == moved, err)
	}
	if found, err := store.FindTokenByID(t.Context(), first.ID); err != nil || found != moved {
		t.Errorf("the later of two saves in one call was lost: %v", err)
	}
}

// TestSaveTokensKeepsOrder has a save in the middle of a call begin again. The
// tokens are as old as their order says all the same.
func TestSaveTokensKeepsOrder(t *testing.T) {
	store := newStore(t, memory.New())
	withClient := func(refresh string) tokenstore.OAuthToken {
		return tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: refresh}
	}
	user := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"}
	if _, err := store.SaveToken(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	user.RefreshToken = "fake-refresh-2"
	// The first save takes away the key by which the second would be the same token.
	tokens := []tokenstore.OAuthToken{user, withClient("fake-refresh-1"), withClient("fake-refresh-3")}
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	if listed, err := store.GetTokens(t.Context()); err != nil || !slices.Equal(listed, stored) {
		t.Errorf("the tokens are listed in another order than they were saved in: %v", err)
	}
}

// TestSaveTokensSeeTheKeysOfThoseBefore moves a key, in one call, to a token that
// is older than the one which had it alone. The save after it, by that key, goes
// to the older one.
func TestSaveTokensSeeTheKeysOfThoseBefore(t *testing.T) {
	store := newStore(t, memory.New())
	older := client(tokenstore.OAuthToken{ID: "older", UserName: "fake-user", RefreshToken: "fake-refresh-1"})
	younger := client(tokenstore.OAuthToken{ID: "younger", RefreshToken: "fake-refresh-2"})
	for _, token := range []tokenstore.OAuthToken{older, younger} {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		{UserName: "fake-user", RefreshToken: "fake-refresh-2"},
		client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-2", AccessToken: "fake-access"}),
	})
	if err != nil || stored[1].ID != "older" {
		t.Errorf("the second save goes to the token %q, %v", stored[1].ID, err)
	}
}
