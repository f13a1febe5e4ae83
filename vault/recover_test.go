package vault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// TestRecoverSaysWhatHelps: after a deletion by this store, and after one in Vault's UI.
func TestRecoverSaysWhatHelps(t *testing.T) {
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := vault.NewSecrets(client)
	if err != nil {
		t.Fatal(err)
	}
	recoverer, ok := driver.As[driver.Recoverer](secrets)
	if !ok {
		t.Fatal("it does not implement driver.Recoverer")
	}
	_, err = recoverer.Recover(t.Context(), "tokenstore/tokens/ada")
	for _, help := range []string{"backup", "vault kv undelete", "reindex"} {
		if !errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), help) {
			t.Errorf("%v does not name %s", err, help)
		}
	}
}
