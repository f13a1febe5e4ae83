package vault_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

// TestOperatorPatch has an operator replace the refresh token with "vault kv patch"
// while 16 processes save new access tokens for the same user. The operator's value
// must stay, whatever the savers had read before.
func TestOperatorPatch(t *testing.T) {
	const savers, rounds, patches = 16, 5, 8
	client := newClient(t)
	mount := newMount(t, client, "2")
	operator := client.KVv2(mount)
	stores := make([]*secretstore.Store, savers)
	for i := range stores {
		stores[i] = newStore(t, client, vault.WithMount(mount))
	}
	for round := range rounds {
		user := fmt.Sprintf("mail@example.com:%d", round)
		token, err := stores[0].SaveToken(t.Context(), fakeToken(user))
		must(t, err)
		name := "tokenstore/tokens/" + token.ID
		done := make(chan struct{})
		var running sync.WaitGroup
		for i, store := range stores {
			running.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					access := fmt.Sprintf("fake-access-%d-%d-%d", round, i, n)
					_, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: user, AccessToken: access})
					if err != nil && !tokenstore.Retryable(err) {
						t.Errorf("save: %v", err)
					}
				}
			})
		}
		var last string
		for n := range patches {
			last = fmt.Sprintf("fake-refresh-of-operator-%d-%d", round, n)
			if _, err := operator.Patch(t.Context(), name, map[string]any{"refresh_token": last}, api.WithMergeMethod(api.KVMergeMethodPatch)); err != nil {
				t.Errorf("patch: %v", err)
			}
			got, err := stores[n].FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
			if err != nil || got.RefreshToken != last {
				t.Errorf("round %d: patch %d is lost (%v)", round, n, err)
			}
		}
		close(done)
		running.Wait()
		// The next save has the new refresh token indexed.
		_, err = stores[1].SaveToken(t.Context(), tokenstore.OAuthToken{UserName: user, AccessToken: "fake-access-last"})
		must(t, err)
		got, err := stores[2].FindToken(t.Context(), tokenstore.OAuthToken{
			ClientID: token.ClientID, ClientSecret: token.ClientSecret, RefreshToken: last,
		})
		if err != nil || got.ID != token.ID {
			t.Errorf("round %d: not found by the operator's refresh token: %v", round, err)
		}
	}
}

// TestRollback has an operator restore an older version of a token, as docs/vault.md
// says. The next save indexes what came back, though that save does not change it:
// every key finds the one row, even with more stored tokens than a find without an
// index entry reads.
func TestRollback(t *testing.T) {
	client := newClient(t)
	mount := newMount(t, client, "2")
	ctx := t.Context()
	unscanned := vault.WithStoreOptions(secretstore.WithScanLimit(0))
	store := newStore(t, client, vault.WithMount(mount), unscanned)
	first := fakeToken("mail@example.com:1")
	saved, err := store.SaveToken(ctx, first)
	must(t, err)
	second := first
	second.RefreshToken, second.AccessToken = "fake-refresh-second", "fake-access-second"
	_, err = store.SaveToken(ctx, second)
	must(t, err)
	_, err = client.KVv2(mount).Rollback(ctx, "tokenstore/tokens/"+saved.ID, 1)
	must(t, err)

	// A process that never saw the second version.
	other := newStore(t, client, vault.WithMount(mount), unscanned)
	got, err := other.FindToken(ctx, tokenstore.OAuthToken{UserName: first.UserName})
	if err != nil || got.RefreshToken != first.RefreshToken {
		t.Fatalf("after the rollback: %v", err)
	}
	_, err = other.SaveToken(ctx, first)
	must(t, err)
	keys := tokenstore.OAuthToken{ClientID: first.ClientID, ClientSecret: first.ClientSecret}
	byRefresh, byAccess := keys, tokenstore.OAuthToken{AccessToken: first.AccessToken}
	byRefresh.RefreshToken = first.RefreshToken
	for _, query := range []tokenstore.OAuthToken{byRefresh, byAccess} {
		if got, err := newStore(t, client, vault.WithMount(mount), unscanned).FindToken(ctx, query); err != nil || got.ID != saved.ID {
			t.Errorf("find by the restored token: %v", err)
		}
	}
	again, err := other.SaveToken(ctx, byRefresh)
	if err != nil || again.ID != saved.ID {
		t.Errorf("a save by the refresh token makes a second row: %v", err)
	}
	if all, err := other.GetTokens(ctx); err != nil || len(all) != 1 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}
