package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// TestDriver runs the suite for drivers. The person works as one does on
// Vault's page: every edit is a write without a check, and what is deleted can
// be undeleted.
func TestDriver(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	open := func(t testing.TB) driver.Secrets {
		return newSecrets(t, client, vault.WithMount(mount), vault.WithMaxSize(64<<10))
	}
	kv := client.KVv2(mount)
	conformance.Driver(t, open,
		conformance.DriverHandle(func(context.Context, driver.Secrets) (driver.Secrets, error) {
			return vault.NewSecrets(client, vault.WithMount(mount), vault.WithMaxSize(64<<10))
		}),
		conformance.DriverPerson(
			func(ctx context.Context, _ driver.Secrets, name string, data []byte) error {
				return edit(ctx, kv, name, data)
			},
			func(ctx context.Context, _ driver.Secrets, name string) error { return kv.Delete(ctx, name) },
		),
		conformance.DriverMissing("a secret of KV version 2 is always an object", "person-text"))
}

// edit writes data as a person does, who can write nothing but an object.
func edit(ctx context.Context, kv *api.KVv2, name string, data []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return fmt.Errorf("vault takes objects only")
	}
	_, err := kv.Put(ctx, name, fields)
	return err
}
