package vault_test

import (
	"errors"
	"net/http"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/adaptertest"
)

// TestOpenReaches opens a store by URL and looks up a user without a token: the server
// is asked for the path that the URL's mount, prefix and pepper give.
func TestOpenReaches(t *testing.T) {
	server, client := play(t, always(http.StatusNotFound, absentReply))
	t.Setenv("VAULT_ADDR", client.Address())
	t.Setenv("VAULT_TOKEN", "fake-vault-token")
	pepper, id := adaptertest.Pepper(t, "ada")
	store, err := tokenstore.Open(t.Context(), "vault://secret/crm?pepper_file="+pepper)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("find: %v", err)
	}
	if requests := server.requests(); len(requests) == 0 || requests[0].path != "/v1/secret/data/crm/tokens/"+id {
		t.Errorf("the server was asked for %+v", requests)
	}
}
