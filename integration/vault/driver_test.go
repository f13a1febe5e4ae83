package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/vault"
)

// TestDriver runs the suite for drivers. The person works as in Vault's UI: every edit
// is an unconditional write, deleted secrets can be undeleted, and older data is
// restored by a rollback.
func TestDriver(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	on := func(mount string) (driver.Secrets, error) {
		return vault.NewSecrets(client, vault.WithMount(mount), vault.WithMaxSize(64<<10))
	}
	kv := client.KVv2(mount)
	options := []conformance.DriverOption{
		conformance.DriverHandle(func(context.Context, driver.Secrets) (driver.Secrets, error) { return on(mount) }),
		conformance.DriverNoContainer(func(context.Context, driver.Secrets) (driver.Secrets, error) {
			return on("no-such-mount/" + need.Prefix(t))
		}),
		conformance.DriverPerson(
			func(ctx context.Context, _ driver.Secrets, name string, data []byte) error {
				return edit(ctx, kv, name, data)
			},
			func(ctx context.Context, _ driver.Secrets, name string) error { return kv.Delete(ctx, name) },
		),
		conformance.DriverRestore(func(ctx context.Context, _ driver.Secrets, name string) error {
			current, err := kv.Get(ctx, name)
			if err != nil {
				return err
			}
			_, err = kv.Rollback(ctx, name, current.VersionMetadata.Version-1)
			return err
		}),
		conformance.DriverMissing("a secret of KV version 2 is always an object", "person-text"),
	}
	if isOpenBao(t, client) {
		options = append(options, conformance.DriverMissing("OpenBao takes objects of up to some 490 fields, unless max_request_json_strings says otherwise", "data-large"))
	}
	conformance.Driver(t, func(t testing.TB) driver.Secrets {
		secrets, err := on(mount)
		must(t, err)
		return secrets
	}, options...)
}

// edit writes data as a person does, who can only write an object.
func edit(ctx context.Context, kv *api.KVv2, name string, data []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return fmt.Errorf("vault takes objects only: %w", errors.ErrUnsupported)
	}
	_, err := kv.Put(ctx, name, fields)
	return err
}
