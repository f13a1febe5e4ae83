package vault_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/vault"
)

// TestStore runs the suite for stores. Each case has its own prefix on one mount.
func TestStore(t *testing.T) {
	t.Parallel() // It waits for the server most of the time.
	client := newClient(t)
	mount := newMount(t, client, "2")
	prefixes := map[tokenstore.Store]string{}
	open := func(prefix string) (tokenstore.Store, error) {
		store, err := vault.New(client, vault.WithMount(mount), vault.WithPrefix(prefix))
		if err == nil {
			prefixes[store] = prefix
		}
		return store, err
	}
	newStore := func(t testing.TB) tokenstore.Store {
		store, err := open(need.Prefix(t))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	conformance.Store(t, newStore,
		conformance.WithReopen(func(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) {
			return open(prefixes[s])
		}),
		conformance.WithForeign(func(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
			return plantForeign(ctx, client.KVv2(mount), prefixes[s])
		}),
		conformance.WithTokens(300))
}

// plantForeign writes secrets that are not tokens next to those that are, and returns a
// function that checks them.
func plantForeign(ctx context.Context, kv *api.KVv2, prefix string) (func(context.Context) error, error) {
	names := []string{prefix + "notes", prefix + "tokens/A Person's Note", prefix + "tokens/folder/note", "tokenstore-of-others/tokens/x"}
	fields := map[string]any{"note": "not a token"}
	for _, name := range names {
		if _, err := kv.Put(ctx, name, fields); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for _, name := range names {
			got, err := kv.Get(ctx, name)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(got.Data, fields) {
				return fmt.Errorf("%s was changed", name)
			}
		}
		return nil
	}, nil
}
