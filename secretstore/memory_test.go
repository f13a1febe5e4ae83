package secretstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// forms are the forms of an index under which the engine keeps the contract.
var forms = map[string][]secretstore.Option{
	"entries":                 {secretstore.WithEntries()},
	"document":                {secretstore.WithDocument(1)},
	"document 16":             {secretstore.WithDocument(16)},
	"document without access": {secretstore.WithDocument(1), secretstore.WithoutAccessIndex()},
	"pepper":                  {secretstore.WithEntries(), secretstore.WithPepper([]byte("fake-pepper"))},
}

func TestStoreOverMemory(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := 100
			if name == "entries" || name == "document" {
				tokens = 1000
			}
			storeSuite(t, tokens, func() driver.Secrets { return memory.New() }, form...)
		})
	}
}

// storeSuite runs the Store suite on the engine over secrets.
func storeSuite(t *testing.T, tokens int, newSecrets func() driver.Secrets, options ...secretstore.Option) {
	t.Helper()
	under := map[tokenstore.Store]driver.Secrets{}
	open := func(secrets driver.Secrets) (tokenstore.Store, error) {
		store, err := secretstore.New(secrets, options...)
		if err == nil {
			under[store] = secrets
		}
		return store, err
	}
	conformance.Store(t, func(t testing.TB) tokenstore.Store {
		store, err := open(newSecrets())
		if err != nil {
			t.Fatal(err)
		}
		return store
	},
		conformance.WithReopen(func(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) { return open(under[s]) }),
		conformance.WithForeign(func(ctx context.Context, s tokenstore.Store) (func(context.Context) error, error) {
			return plantForeign(ctx, under[s])
		}),
		conformance.WithTokens(tokens),
		conformance.WithTick(func() { time.Sleep(time.Microsecond) }),
	)
}

// plantForeign puts secrets of others beside the store's own.
func plantForeign(ctx context.Context, secrets driver.Secrets) (func(context.Context) error, error) {
	planted := map[string]string{
		"tokenstore/tokens/other":      `{"refresh_token":"fake-of-others","client_id":"fake"}`,
		"tokenstore/tokens/a/b":        `{"id":"b","generation":"5","refresh_token":"fake-of-others"}`,
		"tokenstore/notes":             `{"id":"notes","refresh_token":"fake-of-others"}`,
		"tokenstore2/tokens/x":         `{"id":"x","refresh_token":"fake-of-others","generation":"1"}`,
		"elsewhere":                    `{"password":"fake"}`,
		"tokenstore/tokens/not-ours-1": `{}`,
	}
	for name, data := range planted {
		if _, err := secrets.Put(ctx, driver.Secret{Name: name, Data: []byte(data)}); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for name, data := range planted {
			secret, err := secrets.Get(ctx, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if string(secret.Data) != data {
				return fmt.Errorf("%s was changed", name)
			}
		}
		return nil
	}, nil
}
