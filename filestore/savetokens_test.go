package filestore_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"example.com/tokenstore"
)

func TestSaveTokensSavesAllOrNone(t *testing.T) {
	store, path := opened(t, "")
	first := save(t, store, tokenstore.OAuthToken{UserName: "u1", AccessToken: "fake-1"})
	saved, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		{UserName: "u2", AccessToken: "fake-2"}, {UserName: "u1", AccessToken: "fake-3"}, {UserName: "u2", AccessToken: "fake-4"},
	})
	if err != nil || len(saved) != 3 {
		t.Fatalf("%d tokens, %v", len(saved), err)
	}
	if saved[1].ID != first.ID || saved[2].ID != saved[0].ID {
		t.Errorf("IDs %s and %s, want those of the users' first tokens, %s and %s", saved[1].ID, saved[2].ID, first.ID, saved[0].ID)
	}
	rows, err := store.GetTokens(t.Context())
	if err != nil || len(rows) != 2 || rows[0] != saved[1] || rows[1] != saved[2] {
		t.Errorf("stored are %v, %v, want %v", rows, err, saved[1:])
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.SaveTokens(t.Context(), []tokenstore.OAuthToken{{UserName: "u5", AccessToken: "fake-5"}, {UserName: "no secrets"}})
	if !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("with one that cannot be saved: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a save that failed wrote the file: %v", err)
	}
}
