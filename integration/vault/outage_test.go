package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/vaultserver"
)

// TestKilledServer kills a server in the middle of writes, several times. Every save
// that returned must be stored afterwards, and any other must have been applied
// completely or not at all. The stores and their client are never replaced.
func TestKilledServer(t *testing.T) {
	s := vaultserver.New(t)
	const writers, rounds, savesBeforeKill = 6, 3, 60
	store := newStore(t, s.Quick(t))
	type progress struct{ returned, begun int }
	var all [writers]progress
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var saves atomic.Int64
		var running sync.WaitGroup
		for w := range writers {
			running.Go(func() {
				for ctx.Err() == nil {
					all[w].begun++
					_, err := store.SaveToken(ctx, numbered(w, all[w].begun))
					switch {
					case err == nil:
						all[w].returned = all[w].begun
						if saves.Add(1) == savesBeforeKill {
							s.Kill()
							stop()
						}
					case ctx.Err() == nil && !(errors.Is(err, tokenstore.ErrUnavailable) && tokenstore.Retryable(err)):
						t.Errorf("round %d: %v", round, err)
					}
				}
			})
		}
		running.Wait()
		stop()
		s.Start(t)
		s.Unseal(t)
		for w := range writers {
			want := all[w]
			var got tokenstore.OAuthToken
			s.Await(t, func(ctx context.Context) bool {
				var err error
				got, err = store.FindToken(ctx, tokenstore.OAuthToken{UserName: numbered(w, 0).UserName})
				if err != nil && !tokenstore.Retryable(err) {
					t.Fatalf("round %d: %v", round, err)
				}
				return err == nil
			})
			n, err := strconv.Atoi(strings.TrimPrefix(got.AccessToken, fmt.Sprintf("fake-access-%d-", w)))
			if err != nil || n < want.returned || n > want.begun || got.RefreshToken != numbered(w, n).RefreshToken {
				t.Errorf("round %d: writer %d has save %d (%v), returned %d, begun %d", round, w, n, err, want.returned, want.begun)
			}
			// Stored tokens are found by their other keys too.
			if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{AccessToken: got.AccessToken}); err != nil {
				t.Errorf("round %d: by access token: %v", round, err)
			}
		}
	}
}

// numbered is a writer's token in its nth version.
func numbered(writer, n int) tokenstore.OAuthToken {
	token := fakeToken(fmt.Sprintf("mail@example.com:%d", writer))
	token.AccessToken = fmt.Sprintf("fake-access-%d-%d", writer, n)
	token.RefreshToken = fmt.Sprintf("fake-refresh-%d-%d", writer, n)
	return token
}

// TestSealedServer seals a server under a store: every call returns the typed error
// after a single request, though the client would retry it, and works again once the
// server is unsealed.
func TestSealedServer(t *testing.T) {
	s := vaultserver.New(t)
	c := s.Client.CloneConfig()
	c.MinRetryWait, c.MaxRetryWait = time.Hour, time.Hour // A client that waits for a sealed server is noticed.
	patient, err := api.NewClient(c)
	must(t, err)
	patient.SetToken(s.Client.Token())
	counted, requests := counting(t, patient)
	store := newStore(t, counted)
	saved, err := store.SaveToken(t.Context(), fakeToken("mail@example.com:1"))
	must(t, err)
	_, err = store.GetTokens(t.Context()) // The first list also looks for an index of the other form.
	must(t, err)
	must(t, s.Client.Sys().SealWithContext(t.Context()))

	calls := map[string]func(context.Context) error{
		"find": func(ctx context.Context) error {
			_, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName})
			return err
		},
		"find by ID": func(ctx context.Context) error {
			_, err := store.FindTokenByID(ctx, saved.ID)
			return err
		},
		"save": func(ctx context.Context) error {
			_, err := store.SaveToken(ctx, fakeToken("mail@example.com:2"))
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := store.GetTokens(ctx)
			return err
		},
		"delete":     func(ctx context.Context) error { return store.DeleteToken(ctx, "unknown") },
		"delete all": store.DeleteTokens,
	}
	for name, do := range calls {
		before := requests.Load()
		err := do(t.Context())
		var reply *api.ResponseError
		if !errors.Is(err, tokenstore.ErrUnavailable) || !tokenstore.Retryable(err) || !errors.As(err, &reply) ||
			reply.StatusCode != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "sealed") {
			t.Errorf("%s: %v", name, err)
		}
		if n := requests.Load() - before; n != 1 {
			t.Errorf("%s: %d requests to a sealed server", name, n)
		}
	}
	s.Unseal(t)
	s.Await(t, func(ctx context.Context) bool { return calls["find"](ctx) == nil })
	for _, name := range []string{"find by ID", "save", "get", "delete", "delete all"} {
		must(t, calls[name](t.Context()))
	}
}
