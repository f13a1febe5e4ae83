// Vault: a server of its KV engine in memory, behind Vault's own client.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

const onVault = "Vault"

func vaultWays() []way {
	bares := func(build func(k *keeper, client, fast bare)) func(context.Context, world) (*keeper, error) {
		return func(_ context.Context, w world) (*keeper, error) {
			k, client, err := newVault(w)
			if err == nil {
				build(k, vaultBare{client.KVv2(vaultMount), client}, vaultBare{client.KVv2(vaultMount), client})
			}
			return k, err
		}
	}
	return []way{
		{service: onVault, name: "this library", ours: true, open: func(_ context.Context, w world) (*keeper, error) {
			k, client, err := newVault(w)
			if err != nil {
				return nil, err
			}
			open := func() (*secretstore.Store, error) {
				return vault.New(client, vault.WithMount(vaultMount), vault.WithStoreOptions(
					secretstore.WithClock(k.clock.Now), secretstore.WithSleep(k.clock.Sleep)))
			}
			return engine(k, open, open)
		}},
		{service: onVault, name: "client, name known", note: "no other key, the last writer wins", open: bares(knownName)},
		{service: onVault, name: "a pointer secret per key", note: "pointers and tokens part after a crash", open: bares(pointers)},
		{service: onVault, name: "all tokens in one secret", most: 1000, note: "1 MiB, the last writer wins", open: bares(oneSecret)},
		{service: onVault, name: "list and get in a loop", shown: 10_000, open: bares(loop)},
	}
}

// newVault returns an empty server's client.
func newVault(w world) (*keeper, *api.Client, error) {
	server := newVaultServer(w.latency)
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, nil, config.Error
	}
	config.Address = "http://vault.invalid"
	config.HttpClient = &http.Client{Transport: server}
	config.MaxRetries = 0
	client, err := api.NewClient(config)
	if err != nil {
		return nil, nil, err
	}
	if client.SetToken("test"); client.Namespace() != "" {
		client.ClearNamespace()
	}
	return &keeper{clock: w.clock(), calls: server.calls}, client, nil
}

// vaultBare is Vault's own client of a KV engine.
type vaultBare struct {
	kv     *api.KVv2
	client *api.Client
}

func (b vaultBare) get(ctx context.Context, name string) ([]byte, error) {
	got, err := b.kv.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	text, ok := got.Data["value"].(string)
	if !ok {
		return nil, errors.New("the secret has no value")
	}
	return []byte(text), nil
}

func (b vaultBare) put(ctx context.Context, name string, data []byte) error {
	_, err := b.kv.Put(ctx, name, map[string]any{"value": json.RawMessage(quoted(data))})
	return err
}

func (b vaultBare) create(ctx context.Context, name string, data []byte) error {
	return b.put(ctx, name, data)
}

func (b vaultBare) list(ctx context.Context) ([]string, error) {
	got, err := b.client.Logical().ListWithContext(ctx, vaultMount+"/metadata/")
	if err != nil || got == nil {
		return nil, err
	}
	keys, _ := got.Data["keys"].([]any)
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		if name, ok := key.(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// quoted returns the JSON string of some text.
func quoted(data []byte) []byte {
	text, err := json.Marshal(string(data))
	if err != nil { // A string can always be encoded.
		return nil
	}
	return text
}
