package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/vault"
)

// appRole makes a role that may write tokens on the mount, and returns its login and a
// counter of logins.
func appRole(t *testing.T, root *api.Client, mount, ttl string) (api.AuthMethod, *atomic.Int64) {
	t.Helper()
	ctx := t.Context()
	roleClient(t, root, mount, "writer") // for its policy
	policy := strings.ReplaceAll(mount, "/", "-") + "writer"
	path := strings.TrimSuffix(need.Prefix(t), "/")
	must(t, root.Sys().EnableAuthWithOptionsWithContext(ctx, path, &api.EnableAuthOptions{Type: "approle"}))
	t.Cleanup(func() {
		if err := root.Sys().DisableAuthWithContext(context.WithoutCancel(ctx), path); err != nil {
			t.Error(err)
		}
	})
	_, err := root.Logical().WriteWithContext(ctx, "auth/"+path+"/role/app", map[string]any{"token_policies": policy, "token_ttl": ttl})
	must(t, err)
	role, err := root.Logical().ReadWithContext(ctx, "auth/"+path+"/role/app/role-id")
	must(t, err)
	secret, err := root.Logical().WriteWithContext(ctx, "auth/"+path+"/role/app/secret-id", nil)
	must(t, err)
	method, err := vault.LoginAppRole(role.Data["role_id"].(string),
		approle.SecretID{FromString: secret.Data["secret_id"].(string)}, approle.WithMountPath(path))
	must(t, err)
	logins := new(atomic.Int64)
	return counted{method, logins}, logins
}

type counted struct {
	api.AuthMethod
	logins *atomic.Int64
}

func (c counted) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	c.logins.Add(1)
	return c.AuthMethod.Login(ctx, client)
}

// TestLogin has a store log in by itself: at its first call, once when its token was
// revoked, and when the token has expired.
func TestLogin(t *testing.T) {
	root := newClient(t)
	mount := newMount(t, root, "2")
	method, logins := appRole(t, root, mount, "2s")
	anonymous := clientFor(t, root.Address(), "")
	session, err := vault.NewSession(anonymous, method)
	must(t, err)
	store := newStore(t, anonymous, vault.WithMount(mount), vault.WithSession(session))
	ctx := t.Context()
	began := time.Now()
	token, err := store.SaveToken(ctx, fakeToken("mail@example.com:1"))
	must(t, err)
	// On a slow machine it may run out in between.
	if n := logins.Load(); n != 1 && time.Since(began) < time.Second || anonymous.Token() != "" {
		t.Errorf("%d logins; the caller's client has a token: %v", n, anonymous.Token() != "")
	}
	held, err := session.Token(ctx)
	must(t, err)
	must(t, root.Auth().Token().RevokeTreeWithContext(ctx, held))
	_, err = store.FindTokenByID(ctx, token.ID)
	must(t, err)
	before := logins.Load()
	time.Sleep(2100 * time.Millisecond) // The token expires, as while a process is frozen.
	_, err = store.FindTokenByID(ctx, token.ID)
	must(t, err)
	if logins.Load() == before {
		t.Error("no login after the token had run out")
	}
	// A login does not help with a permission that the role lacks.
	before, began = logins.Load(), time.Now()
	long, err := vault.NewSession(anonymous, method)
	must(t, err)
	elsewhere := newStore(t, anonymous, vault.WithMount(mount), vault.WithPrefix("elsewhere/"), vault.WithSession(long))
	if _, err := elsewhere.FindTokenByID(ctx, "1"); !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) {
		t.Errorf("outside of the policy: %v", err)
	}
	if n := logins.Load() - before; n > 1 && time.Since(began) < time.Second {
		t.Errorf("%d logins for a missing permission", n)
	}
}

// TestRenewal keeps a token of three seconds alive for longer, without a login. On a slow
// machine a renewal may come too late.
func TestRenewal(t *testing.T) {
	for range 3 {
		if renewed(t) {
			return
		}
	}
	t.Error("there was a login in two lifetimes of a token that can be renewed")
}

func renewed(t *testing.T) bool {
	t.Helper()
	root := newClient(t)
	mount := newMount(t, root, "2")
	method, logins := appRole(t, root, mount, "3s")
	session, err := vault.NewSession(root, method)
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- session.Run(ctx) }()
	first, err := session.Token(ctx)
	must(t, err)
	time.Sleep(6500 * time.Millisecond)
	last, err := session.Token(ctx)
	must(t, err)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	return first == last && logins.Load() == 1
}

// TestLoginRefused gives a wrong secret ID: denied, not retryable.
func TestLoginRefused(t *testing.T) {
	root := newClient(t)
	mount := newMount(t, root, "2")
	appRole(t, root, mount, "1m")
	wrong, err := vault.LoginAppRole("fake-role", approle.SecretID{FromString: "fake-secret-id"})
	must(t, err)
	store := newStore(t, root, vault.WithMount(mount), vault.WithLogin(wrong))
	_, err = store.FindTokenByID(t.Context(), "1")
	if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) || strings.Contains(err.Error(), "fake-secret") {
		t.Errorf("a wrong secret ID: %v", err)
	}
}

// TestOpen opens a store by its URL, with a token from a file.
func TestOpen(t *testing.T) {
	root := newClient(t)
	mount := strings.TrimSuffix(newMount(t, root, "2"), "/")
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(root.Token()+"\n"), 0o600))
	t.Setenv("VAULT_ADDR", root.Address())
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_TOKEN_FILE", file)
	for _, url := range []string{"vault://" + mount + "/apps/tokens?reads=own", "vault:///apps/tokens?mount=" + mount} {
		store, err := tokenstore.Open(t.Context(), url)
		must(t, err)
		_, err = store.SaveToken(t.Context(), fakeToken("mail@example.com:1"))
		must(t, err)
		must(t, store.Close())
	}
	if names, err := root.Logical().ListWithContext(t.Context(), mount+"/metadata/apps/tokens/tokens"); err != nil || names == nil || len(names.Data["keys"].([]any)) != 1 {
		t.Errorf("the two URLs do not name one store: %v", err)
	}
}
