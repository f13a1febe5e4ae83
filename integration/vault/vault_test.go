// Package vault_test shows that package vault keeps its promises on a real
// server: on Vault, or on OpenBao, whichever the environment names.
package vault_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

func TestMain(m *testing.M) { os.Exit(need.Main(m)) }

// newClient returns a client for the shared server with enough connections for parallel
// tests.
func newClient(t testing.TB) *api.Client {
	t.Helper()
	address, token := need.Vault(t)
	return clientFor(t, address, token)
}

func clientFor(t testing.TB, address, token string) *api.Client {
	t.Helper()
	c := api.DefaultConfig()
	if c.Error != nil {
		t.Fatal(c.Error)
	}
	c.Address = address
	if transport, ok := c.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = 64
	}
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	return client
}

// isOpenBao reports whether the server is OpenBao: unlike Vault's, its health reply has
// no enterprise flag.
func isOpenBao(t testing.TB, client *api.Client) bool {
	t.Helper()
	reply, err := client.Logical().ReadRawWithContext(t.Context(), "sys/health")
	must(t, err)
	defer func() { _ = reply.Body.Close() }()
	var health map[string]any
	must(t, json.NewDecoder(reply.Body).Decode(&health))
	_, isVault := health["enterprise"]
	return !isVault
}

// newMount enables an engine for one test, so that names used by the suites are its
// own. version is "1" or "2".
func newMount(t testing.TB, client *api.Client, version string) string {
	t.Helper()
	mount := need.Prefix(t)
	input := &api.MountInput{Type: "kv", Options: map[string]string{"version": version}}
	if err := client.Sys().MountWithContext(t.Context(), mount, input); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Sys().UnmountWithContext(context.WithoutCancel(t.Context()), mount); err != nil {
			t.Error(err)
		}
	})
	return mount
}

// newSecrets returns a driver with quick retries.
func newSecrets(t testing.TB, client *api.Client, options ...vault.Option) driver.Secrets {
	t.Helper()
	secrets, err := vault.NewSecrets(client, options...)
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

func newStore(t testing.TB, client *api.Client, options ...vault.Option) *secretstore.Store {
	t.Helper()
	store, err := vault.New(client, options...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// counting returns a client whose requests are counted as they are sent, and the
// counter. The given client is not changed.
func counting(t testing.TB, client *api.Client) (*api.Client, *atomic.Int64) {
	t.Helper()
	c := client.CloneConfig()
	requests := new(atomic.Int64)
	httpClient := *c.HttpClient
	inner := httpClient.Transport
	httpClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		requests.Add(1)
		return inner.RoundTrip(r)
	})
	c.HttpClient = &httpClient
	counted, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	counted.SetToken(client.Token())
	return counted, requests
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// fakeToken is a token with a fake value in every field.
func fakeToken(user string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "fake-client", ClientSecret: "fake-client-secret",
		RefreshToken: "fake-refresh-" + user, AccessToken: "fake-access-" + user,
		RedirectURL: "https://app.example.com/callback", APIDomain: "https://api.example.com",
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
