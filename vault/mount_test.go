package vault_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

const (
	noNamespace = `{"errors":["namespace not found"]}`
	noHandler   = `{"errors":["no handler for route \"secret/data/tokens/a\". route entry not found."]}`
	noPath      = `{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}`
	noRoute     = `{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]}`
	deletedOne  = `{"data":{"data":null,"metadata":{"version":2,"created_time":"2030-01-02T03:04:05.678Z","deletion_time":"2030-01-02T03:04:06Z"}}}`
)

// TestAbsence: of all replies with status 404, only the engine's own answer about a
// path means that it is empty.
func TestAbsence(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       error // of a Get
	}{
		{"nothing", absentReply, driver.ErrNotFound},
		{"deleted", deletedOne, driver.ErrNotFound},
		{"no namespace", noNamespace, driver.ErrNoContainer},
		{"no mount", noHandler, driver.ErrNoContainer},
		{"another engine", noPath, driver.ErrNoContainer},
		{"another route", noRoute, driver.ErrNoContainer},
		{"a proxy's page", "<html>404", driver.ErrUnavailable},
		{"a proxy's object", "{}", driver.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := play(t, always(404, c.body))
			secrets := secretsOf(t, client)
			absent := errors.Is(c.want, driver.ErrNotFound)
			if _, err := secrets.Get(t.Context(), "tokens/a"); !errors.Is(err, c.want) || !absent && errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Get: %v", err)
			}
			if absent {
				return
			}
			for op, err := range everyWrite(t.Context(), secrets) {
				if !errors.Is(err, c.want) || tokenstore.Retryable(err) != errors.Is(c.want, driver.ErrUnavailable) {
					t.Errorf("%s: %v", op, err)
				}
			}
			for name, err := range secrets.List(t.Context(), "tokens/") {
				if !errors.Is(err, c.want) {
					t.Errorf("List: %q, %v", name, err)
				}
			}
		})
	}
}

// TestPatchOfNothing: a patch of a missing or deleted secret is a conflict.
func TestPatchOfNothing(t *testing.T) {
	for _, body := range []string{"", absentReply, `{"data":{"created_time":"2030-01-02T03:04:05Z","deletion_time":"2030-01-02T03:04:06Z","destroyed":false,"version":2}}`} {
		_, client := play(t, func(r sent) (int, string) {
			if r.method == http.MethodPatch {
				return 404, body
			}
			return always(200, stored(2, `{"a":"1"}`))(r)
		})
		_, err := secretsOf(t, client).Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"2"}`), Revision: "2@2030-01-02T03:04:05.678Z"})
		if !errors.Is(err, driver.ErrConflict) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// everyWrite returns the error of each call that changes something.
func everyWrite(ctx context.Context, secrets driver.Secrets) map[string]error {
	const revision = "2@2030-01-02T03:04:05.678Z"
	data := []byte(`{"a":"b"}`)
	_, create := secrets.Put(ctx, driver.Secret{Name: "tokens/a", Data: data})
	_, replace := secrets.Put(ctx, driver.Secret{Name: "tokens/a", Data: data, Revision: revision})
	retirer, _ := driver.As[driver.Retirer](secrets)
	return map[string]error{
		"create": create, "replace": replace,
		"delete": secrets.Delete(ctx, "tokens/a", revision), "retire": retirer.Retire(ctx, "tokens/a", revision),
	}
}

// TestNoContainerEnds: in a place that does not exist, no operation of a store finds an
// empty store or waits forever.
func TestNoContainerEnds(t *testing.T) {
	for _, body := range []string{noNamespace, noHandler, noPath, noRoute} {
		_, client := play(t, always(404, body))
		store, err := vault.New(client)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background() // Without a deadline.
		token := tokenstore.OAuthToken{UserName: "ada", ClientID: "c", ClientSecret: "s", RefreshToken: "fake-refresh"}
		for op, do := range map[string]func() error{
			"find":    func() error { _, err := store.FindToken(ctx, token); return err },
			"save":    func() error { _, err := store.SaveToken(ctx, token); return err },
			"list":    func() error { _, err := store.GetTokens(ctx); return err },
			"delete":  func() error { return store.DeleteTokens(ctx) },
			"reindex": func() error { _, err := store.Reindex(ctx, secretstore.ReindexOptions{}); return err },
			"save many": func() error {
				_, err := store.SaveTokens(ctx, []tokenstore.OAuthToken{token})
				return err
			},
		} {
			done := make(chan error, 1)
			go func() { done <- do() }()
			select {
			case err := <-done:
				if !errors.Is(err, tokenstore.ErrNoContainer) || errors.Is(err, tokenstore.ErrNotFound) || tokenstore.Retryable(err) {
					t.Errorf("%s, %s: %v", body, op, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s, %s: does not end", body, op)
			}
		}
	}
}

// TestNamespaces: a server that would ignore a namespace, and show everybody the same
// secrets, is refused, based on its health reply.
func TestNamespaces(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		health  string
		refused bool
	}{
		{"Vault", 200, `{"version":"1.21.0","enterprise":false}`, true},
		{"an older Vault", 200, `{"version":"1.12.3"}`, true},
		{"Vault Enterprise", 200, `{"version":"1.21.0+ent","enterprise":true}`, false},
		{"an older Vault Enterprise", 200, `{"version":"1.12.3+ent.hsm"}`, false},
		{"OpenBao", 200, `{"version":"2.7.2"}`, false},
		{"OpenBao before namespaces", 200, `{"version":"2.2.0"}`, true},
		{"a page that is kept private", 403, `{"errors":["permission denied"]}`, false},
		{"no such page", 404, "<html>", false},
		{"an unknown version", 200, `{"version":"next"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			server, client := play(t, func(r sent) (int, string) {
				if r.path != "/v1/sys/health" {
					return always(404, absentReply)(r)
				}
				if asked++; r.namespace != "" || r.token != "" {
					t.Errorf("the health was asked for in a namespace, or with a token: %+v", r)
				}
				return c.status, c.health
			})
			secrets := secretsOf(t, client, vault.WithNamespace("tenant-a"))
			want := driver.ErrNotFound
			if c.refused {
				want = driver.ErrNoContainer
			}
			for range 2 {
				if _, err := secrets.Get(t.Context(), "a"); !errors.Is(err, want) || tokenstore.Retryable(err) {
					t.Errorf("Get: %v", err)
				}
			}
			if !c.refused && asked != 1 {
				t.Errorf("the health was asked for %d times", asked)
			}
			if c.refused {
				for op, err := range everyWrite(t.Context(), secrets) {
					if !errors.Is(err, driver.ErrNoContainer) {
						t.Errorf("%s: %v", op, err)
					}
				}
				for name, err := range secrets.List(t.Context(), "") {
					if !errors.Is(err, driver.ErrNoContainer) {
						t.Errorf("List: %q, %v", name, err)
					}
				}
				for _, r := range server.requests() {
					t.Errorf("%s %s was sent", r.method, r.path)
				}
			}

			t.Setenv("VAULT_ADDR", client.Address())
			t.Setenv("VAULT_TOKEN", "fake-vault-token")
			opened := func(url string) {
				t.Helper()
				store, err := tokenstore.Open(t.Context(), url)
				if c.refused != errors.Is(err, tokenstore.ErrInvalidArgument) || !c.refused && err != nil {
					t.Errorf("open: %v", err)
				}
				if err == nil {
					_ = store.Close()
				}
			}
			opened("vault://secret?namespace=tenant-a")
			t.Setenv("VAULT_NAMESPACE", "tenant-a")
			opened("vault://secret")
		})
	}
}

// TestNamespaceUnasked: a store opens even if the server does not answer; its calls
// fail until it does.
func TestNamespaceUnasked(t *testing.T) {
	down := true
	_, client := play(t, func(r sent) (int, string) {
		switch {
		case down:
			return 503, `{"errors":["Vault is sealed"]}`
		case r.path == "/v1/sys/health":
			return 200, `{"version":"2.7.2"}`
		}
		return always(404, absentReply)(r)
	})
	t.Setenv("VAULT_ADDR", client.Address())
	t.Setenv("VAULT_TOKEN", "fake-vault-token")
	store, err := tokenstore.Open(t.Context(), "vault://secret?namespace=tenant-a")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("find on a server that is down: %v", err)
	}
	down = false
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("find on a server that is up: %v", err)
	}
}

// TestAPIPaths: an API path, as found in policies, is not a store.
func TestAPIPaths(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "fake-vault-token")
	for _, url := range []string{"vault://secret/data/crm", "vault://secret/metadata/crm", "vault://secret/data", "vault:///data/crm?mount=team/kv"} {
		if _, err := tokenstore.Open(t.Context(), url); !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), "leave it out") {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, client := play(t, always(404, absentReply))
	if _, err := secretsOf(t, client, vault.WithMount("secret/data"), vault.WithPrefix("database/")).Get(t.Context(), "a"); err == nil {
		t.Error("a mount with a path behind it is taken")
	}
}

// TestAdvice: settings of the mount that endanger tokens, or get in people's way, are
// reported, and so is a failure to read them.
func TestAdvice(t *testing.T) {
	const expires = `{"data":{"data":{"a":"1"},"metadata":{"version":1,"created_time":"2030-01-02T03:04:05Z","deletion_time":"2030-02-02T03:04:05Z"}}}`
	for _, c := range []struct {
		name   string
		status int
		config string
		read   string
		want   []string
		err    error
	}{
		{"as it should be", 200, `{"data":{"cas_required":false,"delete_version_after":"0s","max_versions":0}}`, stored(1, `{}`), nil, nil},
		{"deletes", 200, `{"data":{"delete_version_after":"720h0m0s"}}`, stored(1, `{}`), []string{"720h0m0s"}, nil},
		{"requires check-and-set", 200, `{"data":{"cas_required":true,"delete_version_after":"0s"}}`, stored(1, `{}`), []string{"cas_required"}, nil},
		{"all", 200, `{"data":{"cas_required":true,"metadata_cas_required":true,"delete_version_after":"1h"}}`, stored(1, `{}`), []string{"1h0m0s", "cas_required", "metadata_cas_required"}, nil},
		{"a secret's own setting", 200, `{"data":{"delete_version_after":"0s"}}`, expires, []string{"each secret"}, nil},
		{"denied", 403, denied, stored(1, `{}`), nil, driver.ErrDenied},
		{"denied, and yet seen", 403, denied, expires, []string{"delete_version_after"}, driver.ErrDenied},
		{"down", 503, `{"errors":["Vault is sealed"]}`, stored(1, `{}`), nil, driver.ErrUnavailable},
		{"no mount", 404, noHandler, stored(1, `{}`), nil, driver.ErrNoContainer},
	} {
		_, client := play(t, func(r sent) (int, string) {
			if r.path == "/v1/secret/config" {
				return c.status, c.config
			}
			return always(200, c.read)(r)
		})
		secrets := secretsOf(t, client)
		if _, err := secrets.Get(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		advisor, ok := driver.As[driver.Advisor](secrets)
		if !ok {
			t.Fatal("no Advisor")
		}
		got, err := advisor.Advice(t.Context())
		if !errors.Is(err, c.err) || len(got) != len(c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
			continue
		}
		for i, words := range c.want {
			if !strings.Contains(got[i], words) {
				t.Errorf("%s: %q does not say %q", c.name, got[i], words)
			}
		}
	}
}
