package vault_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// TestOpenKubernetes logs in with the service account's token from the file that the
// environment names.
func TestOpenKubernetes(t *testing.T) {
	server, client := play(t, func(r sent) (int, string) {
		if strings.HasSuffix(r.path, "/login") {
			return http.StatusOK, `{"auth":{"client_token":"fake-of-login","lease_duration":3600}}`
		}
		return http.StatusNotFound, absentReply
	})
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("VAULT_ADDR", client.Address())
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_KUBERNETES_ROLE", "tokens")
	t.Setenv("VAULT_KUBERNETES_TOKEN_FILE", file)
	if _, err := tokenstore.Open(t.Context(), "vault://secret/crm"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(file, []byte("fake-service-account"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := tokenstore.Open(t.Context(), "vault://secret/crm")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.FindTokenByID(t.Context(), "1"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("find: %v", err)
	}
	requests := server.requests()
	var login bool
	for _, r := range requests {
		login = login || r.path == "/v1/auth/kubernetes/login" && r.body["jwt"] == "fake-service-account"
	}
	if last := requests[len(requests)-1]; !login || last.token != "fake-of-login" {
		t.Errorf("the server was asked for %+v", requests)
	}
}
