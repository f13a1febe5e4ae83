package vault_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// TestSession logs in once for many callers, again when the token is refused, and not
// when a permission is missing.
func TestSession(t *testing.T) {
	valid := "fake-token-1"
	server, client := play(t, func(r sent) (int, string) {
		switch {
		case r.token != valid:
			return 403, `{"errors":["permission denied"]}`
		case strings.HasSuffix(r.path, "/lookup-self"):
			return 200, `{"data":{"ttl":3600,"renewable":true}}`
		case strings.HasSuffix(r.path, "/forbidden"):
			return 403, `{"errors":["permission denied"]}`
		}
		return 200, stored(1, `{"a":"b"}`)
	})
	var logins atomic.Int64
	secrets := secretsOf(t, client, vault.WithLogin(vault.LoginToken(func(context.Context) (string, error) {
		logins.Add(1)
		return valid, nil
	})))
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := secrets.Get(t.Context(), "a")
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := logins.Load(); n != 1 {
		t.Errorf("%d logins of 8 callers", n)
	}
	valid = "fake-token-2" // The first one was revoked.
	if _, err := secrets.Get(t.Context(), "a"); err != nil || logins.Load() != 2 {
		t.Errorf("after a revocation: %d logins, %v", logins.Load(), err)
	}
	before := len(server.requests())
	if _, err := secrets.Get(t.Context(), "forbidden"); !errors.Is(err, driver.ErrDenied) || logins.Load() != 2 {
		t.Errorf("what is forbidden: %d logins, %v", logins.Load(), err)
	}
	if n := len(server.requests()) - before; n != 2 {
		t.Errorf("what is forbidden took %d requests", n)
	}
	if client.Token() != "fake-vault-token" {
		t.Error("the caller's client was changed")
	}
}

// TestExpiredSession logs in again by wall clock time.
func TestExpiredSession(t *testing.T) {
	_, client := play(t, always(200, stored(1, `{"a":"b"}`)))
	var logins atomic.Int64
	session, err := vault.NewSession(client, shortLogin{&logins})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for range 3 {
			if _, err := session.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if _, err := session.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if logins.Load() != 2 {
		t.Errorf("%d logins", logins.Load())
	}
}

// shortLogin returns tokens that last a second.
type shortLogin struct{ logins *atomic.Int64 }

func (l shortLogin) Login(context.Context, *api.Client) (*api.Secret, error) {
	l.logins.Add(1)
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: "fake-short", LeaseDuration: 1}}, nil
}

// roleLogin logs in with a credential in the request's body, as AppRole does.
type roleLogin struct{}

func (roleLogin) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return client.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{"secret_id": "fake-secret-id"})
}
