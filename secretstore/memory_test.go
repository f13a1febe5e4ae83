package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
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
	enginetest.Suite{
		New: func(testing.TB) driver.Secrets { return newSecrets() },
		Engine: func(secrets driver.Secrets, more ...secretstore.Option) (*secretstore.Store, error) {
			return secretstore.New(secrets, append(more, options...)...)
		},
		Service: enginetest.Service{
			Edit: func(_ context.Context, s driver.Secrets, name string, data []byte) error {
				console, ok := driver.As[interface{ Edit(string, []byte) string }](s)
				if !ok {
					return errors.ErrUnsupported
				}
				console.Edit(name, data)
				return nil
			},
		},
		StoreOptions: []conformance.Option{conformance.WithTokens(tokens)},
	}.Store(t)
}

// plantForeign puts secrets of others next to the store's own.
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
