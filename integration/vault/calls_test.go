package vault_test

import (
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

// TestCalls counts the requests on the wire for each operation, each by a store that
// has seen nothing before, as in a new process.
func TestCalls(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	stored := fakeToken("mail@example.com:1")
	ctx := t.Context()
	if _, err := newStore(t, client, vault.WithMount(mount)).SaveToken(ctx, stored); err != nil {
		t.Fatal(err)
	}
	keys := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-client-secret"}
	byRefresh := keys
	byRefresh.RefreshToken = stored.RefreshToken
	refreshed := tokenstore.OAuthToken{
		UserName: stored.UserName, AccessToken: "fake-access-2", Expiry: time.UnixMilli(1_900_000_000_000),
	}
	find := func(query tokenstore.OAuthToken) func(*secretstore.Store) error {
		return func(s *secretstore.Store) error {
			_, err := s.FindToken(ctx, query)
			return err
		}
	}
	save := func(token tokenstore.OAuthToken) func(*secretstore.Store) error {
		return func(s *secretstore.Store) error {
			_, err := s.SaveToken(ctx, token)
			return err
		}
	}
	// The entry, two lists, the token, and what every list looks at once in a process.
	search := int64(7)
	if isOpenBao(t, client) {
		search++ // Its list of metadata.
	}
	for _, c := range []struct {
		name string
		do   func(*secretstore.Store) error
		most int64
	}{
		{"find by user", find(tokenstore.OAuthToken{UserName: stored.UserName}), 1},
		{"find by access token", find(tokenstore.OAuthToken{AccessToken: stored.AccessToken}), search},
		{"find by refresh token", find(byRefresh), 2},
		{"save after a refresh", save(refreshed), 2},
		{"save that changes nothing", save(refreshed), 1},
		// One of them checks the mount, which a process does once.
		{"save of a new token", save(fakeToken("mail@example.com:2")), 8},
	} {
		counted, requests := counting(t, client)
		store := newStore(t, counted, vault.WithMount(mount))
		if err := c.do(store); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		t.Logf("%s: %d requests", c.name, requests.Load())
		if n := requests.Load(); n > c.most {
			t.Errorf("%s: %d requests, at most %d", c.name, n, c.most)
		}
	}
}
