package tokenstore_test

import (
	"context"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// TestGivenIDIsCreatedByOthersMeanwhile lets another process create the token
// of a given ID right after a save has seen that there is none, while a
// leftover hint makes the save look twice. It must begin again and update.
func TestGivenIDIsCreatedByOthersMeanwhile(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	newToken := func(refresh string) tokenstore.OAuthToken {
		return tokenstore.OAuthToken{ID: "1", ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: refresh}
	}

	isTokenPut := func(c drivertest.Call) bool {
		return c.Method == drivertest.Put && strings.HasPrefix(c.Name, "tokenstore/tokens/")
	}
	dying := newStore(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
		if isTokenPut(c) {
			return drivertest.Denied
		}
		return drivertest.Outcome{}
	}))
	if _, err := dying.SaveToken(ctx, newToken("fake-refresh-a")); err == nil {
		t.Fatal("the save that was to leave a hint behind has succeeded")
	}

	other := newStore(t, secrets)
	created := false
	store := newStore(t, drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.Name == "tokenstore/tokens/1" && !created {
			created = true
			if _, err := other.SaveToken(ctx, newToken("fake-refresh-b")); err != nil {
				t.Error(err)
			}
		}
		return err
	}))
	saved, err := store.SaveToken(ctx, newToken("fake-refresh-a"))
	if err != nil || saved != newToken("fake-refresh-a") {
		t.Errorf("the save gives %+v, %v", saved, err)
	}
}

func newStore(t *testing.T, secrets driver.Secrets) *tokenstore.SecretStore {
	t.Helper()
	store, err := tokenstore.NewSecretStore(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
