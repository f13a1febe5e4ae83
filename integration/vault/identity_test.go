package vault_test

import (
	"testing"

	"example.com/tokenstore/vault"
)

// TestIdentity: the store tells as whom Vault knows it.
func TestIdentity(t *testing.T) {
	client := newClient(t)
	store := newStore(t, client, vault.WithMount(newMount(t, client, "2")))
	name, err := store.Identity(t.Context())
	must(t, err)
	self, err := client.Auth().Token().LookupSelfWithContext(t.Context())
	must(t, err)
	if name == "" || name != self.Data["display_name"] {
		t.Errorf("it acts as %q", name)
	}
}
