package vault_test

import (
	"context"
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/integration/internal/vaultserver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

// everything is every operation of a store, for tests in which each must fail.
func everything(ctx context.Context, store *secretstore.Store) map[string]func() error {
	token := fakeToken("mail@example.com:1")
	return map[string]func() error{
		"find": func() error {
			_, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: token.UserName})
			return err
		},
		"find by id": func() error { _, err := store.FindTokenByID(ctx, "1"); return err },
		"save":       func() error { _, err := store.SaveToken(ctx, token); return err },
		"save many": func() error {
			_, err := store.SaveTokens(ctx, []tokenstore.OAuthToken{token, fakeToken("mail@example.com:2")})
			return err
		},
		"list":       func() error { _, err := store.GetTokens(ctx); return err },
		"delete":     func() error { return store.DeleteToken(ctx, "1") },
		"delete all": func() error { return store.DeleteTokens(ctx) },
		"check":      func() error { _, err := store.Check(ctx); return err },
		"reindex":    func() error { _, err := store.Reindex(ctx, secretstore.ReindexOptions{}); return err },
	}
}

// nowhere fails unless every operation reports that the place does not exist, at once
// and without a deadline.
func nowhere(t *testing.T, store *secretstore.Store) {
	t.Helper()
	for op, do := range everything(context.WithoutCancel(t.Context()), store) {
		done := make(chan error, 1)
		go func() { done <- do() }()
		select {
		case err := <-done:
			if !errors.Is(err, tokenstore.ErrNoContainer) || errors.Is(err, tokenstore.ErrNotFound) || tokenstore.Retryable(err) {
				t.Errorf("%s: %v", op, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s does not end", op)
		}
	}
}

// TestNowhere: a mount that does not exist, one of another kind, and a path of the API
// are not empty stores.
func TestNowhere(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	version1 := newMount(t, client, "1")
	for name, options := range map[string][]vault.Option{
		"no mount":       {vault.WithMount("no-such-mount")},
		"another engine": {vault.WithMount("cubbyhole")},
		"a system path":  {vault.WithMount("sys")},
		"version 1":      {vault.WithMount(version1)},
		"an API path":    {vault.WithMount(mount + "data")},
		"a folder":       {vault.WithMount(mount + "crm")},
	} {
		t.Run(name, func(t *testing.T) { nowhere(t, newStore(t, client, options...)) })
	}
	// A mount that is removed while the store is in use.
	doomed := need.Prefix(t)
	must(t, client.Sys().MountWithContext(t.Context(), doomed, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	store := newStore(t, client, vault.WithMount(doomed))
	_, err := store.SaveToken(t.Context(), fakeToken("mail@example.com:1"))
	must(t, err)
	must(t, client.Sys().UnmountWithContext(t.Context(), doomed))
	t.Run("removed", func(t *testing.T) { nowhere(t, store) })
}

// TestNamespaces: stores in two namespaces are independent, and one in a missing
// namespace fails. Vault's community edition has no namespaces, and would show both the
// same secrets: it is refused.
func TestNamespaces(t *testing.T) {
	client := newClient(t)
	ctx := t.Context()
	t.Setenv("VAULT_ADDR", client.Address())
	t.Setenv("VAULT_TOKEN", client.Token())
	if !isOpenBao(t, client) {
		nowhere(t, newStore(t, client, vault.WithNamespace("tenant-a")))
		_, err := tokenstore.Open(ctx, "vault://secret?namespace=tenant-a")
		if !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("open: %v", err)
		}
		return
	}
	name := strings.Trim(need.Prefix(t), "/")
	ids := map[string]string{}
	for _, tenant := range []string{name + "-a", name + "-b"} {
		_, err := client.Logical().WriteWithContext(ctx, "sys/namespaces/"+tenant, map[string]any{})
		must(t, err)
		inside := client.WithNamespace(tenant)
		must(t, inside.Sys().MountWithContext(ctx, "secret", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
		t.Cleanup(func() {
			ctx := context.WithoutCancel(ctx)
			must(t, inside.Sys().UnmountWithContext(ctx, "secret"))
			_, err := client.Logical().DeleteWithContext(ctx, "sys/namespaces/"+tenant)
			must(t, err)
		})
		opened, err := tokenstore.Open(ctx, "vault://secret?namespace="+url.QueryEscape(tenant))
		must(t, err)
		if _, err := opened.FindToken(ctx, tokenstore.OAuthToken{UserName: "mail@example.com:1"}); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s sees another's token: %v", tenant, err)
		}
		saved, err := newStore(t, client, vault.WithNamespace(tenant)).SaveToken(ctx, fakeToken("mail@example.com:1"))
		must(t, err)
		ids[tenant] = saved.ID
		must(t, opened.Close())
	}
	store := newStore(t, client, vault.WithNamespace(name+"-b"))
	must(t, store.DeleteTokens(ctx))
	if _, err := newStore(t, client, vault.WithNamespace(name+"-a")).FindTokenByID(ctx, ids[name+"-a"]); err != nil {
		t.Errorf("the other namespace's token: %v", err)
	}
	nowhere(t, newStore(t, client, vault.WithNamespace(name+"-c")))
	nowhere(t, newStore(t, client, vault.WithMount(name+"-c/secret")))
}

// TestSettings: a mount that deletes by itself is reported. On one that requires
// check-and-set the store works, and so do the commands of docs/vault.md, which are run
// with the server's own program.
func TestSettings(t *testing.T) {
	server := vaultserver.New(t)
	client := server.Client
	ctx := t.Context()
	advice := func(options ...vault.Option) string {
		t.Helper()
		advisor, ok := driver.As[driver.Advisor](newSecrets(t, client, options...))
		if !ok {
			t.Fatal("no Advisor")
		}
		got, err := advisor.Advice(ctx)
		must(t, err)
		return strings.Join(got, "\n")
	}
	if got := advice(); got != "" {
		t.Errorf("advice on a mount without settings: %s", got)
	}
	configure := func(settings map[string]any) {
		t.Helper()
		_, err := client.Logical().WriteWithContext(ctx, "secret/config", settings)
		must(t, err)
	}
	configure(map[string]any{"delete_version_after": "720h"})
	if got := advice(); !strings.Contains(got, "720h") {
		t.Errorf("advice on a mount that deletes: %s", got)
	}
	configure(map[string]any{"delete_version_after": "0s", "cas_required": true})
	if got := advice(); !strings.Contains(got, "cas_required") {
		t.Errorf("advice on a mount that requires check-and-set: %s", got)
	}

	store := newStore(t, client)
	token, err := store.SaveToken(ctx, fakeToken("mail@example.com:1"))
	must(t, err)
	path := "tokenstore/tokens/" + token.ID
	kv := func(arguments ...string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, need.VaultBinary(t), append([]string{"kv"}, arguments...)...) // #nosec G204 -- the tests' own server.
		cmd.Env = append(cmd.Environ(), "VAULT_ADDR="+client.Address(), "VAULT_TOKEN="+client.Token(), "VAULT_CACERT="+server.Certificate(),
			"BAO_ADDR="+client.Address(), "BAO_TOKEN="+client.Token(), "BAO_CACERT="+server.Certificate())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kv %s: %v\n%s", arguments[0], err, out)
		}
	}
	refreshToken := func() string {
		t.Helper()
		got, err := store.FindTokenByID(ctx, token.ID)
		must(t, err)
		return got.RefreshToken
	}
	kv("patch", "-method=rw", "-mount=secret", path, "refresh_token=fake-refresh-of-operator")
	if got := refreshToken(); got != "fake-refresh-of-operator" {
		t.Errorf("after the patch: %s", got)
	}
	kv("rollback", "-version=1", "-mount=secret", path)
	if got := refreshToken(); got != token.RefreshToken {
		t.Errorf("after the rollback: %s", got)
	}
	kv("delete", "-mount=secret", path)
	if _, err := store.FindTokenByID(ctx, token.ID); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
	kv("undelete", "-versions=3", "-mount=secret", path)
	if got := refreshToken(); got != token.RefreshToken {
		t.Errorf("after it was undeleted: %s", got)
	}
	_, err = store.SaveToken(ctx, tokenstore.OAuthToken{UserName: token.UserName, RefreshToken: "fake-refresh-2"})
	must(t, err)
	must(t, store.DeleteToken(ctx, token.ID))
}
