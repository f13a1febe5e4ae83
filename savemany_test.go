package tokenstore_test

import (
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
