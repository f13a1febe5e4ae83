package tokenstore_test

import (
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
)

// TestEditedTokenStaysListed has a person change the only key of a token, and
// then somebody save another token with the key that it had. A document index is
// the list of all tokens, so it must not lose its last hint of the first one.
func TestEditedTokenStaysListed(t *testing.T) {
	secrets := memory.New()
	store, err := tokenstore.NewSecretStore(secrets, tokenstore.WithDocument(1))
	if err != nil {
		t.Fatal(err)
	}
	withClient := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret"}
	before, edited := withClient, withClient
	before.RefreshToken, edited.RefreshToken = "fake-refresh-1", "fake-refresh-2"
	first, err := store.SaveToken(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + first.ID
	secret, err := secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit(name, []byte(strings.ReplaceAll(string(secret.Data), before.RefreshToken, edited.RefreshToken)))
	second, err := store.SaveToken(t.Context(), before)
	if err != nil || second.ID == first.ID {
		t.Fatalf("a save by the earlier key goes to the edited token, or fails: %v", err)
	}
	if tokens, err := store.GetTokens(t.Context()); err != nil || len(tokens) != 2 {
		t.Errorf("%d tokens are listed, not 2: %v", len(tokens), err)
	}
	if found, err := store.FindToken(t.Context(), edited); err != nil || found.ID != first.ID {
		t.Errorf("the edited token is not found by its new key: %v", err)
	}
}
