package secretstore_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
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

// newStore returns a store that makes one call after the other, as the tests'
// interceptors take them.
func newStore(t *testing.T, secrets driver.Secrets) *secretstore.Store {
	t.Helper()
	store, err := secretstore.New(secrets, secretstore.WithParallelism(1))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestFindFollowsAMovingKey lets a key move from one token to another while a
// find of it is between its look at the index and its look at the token.
func TestFindFollowsAMovingKey(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	other := newStore(t, secrets)
	token := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret", UserName: "fake-1", RefreshToken: "fake-refresh"}
	first, err := other.SaveToken(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	query := token
	query.UserName = ""
	moved := false
	store, err := secretstore.New(drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if c.Name == "tokenstore/tokens/"+first.ID && !moved {
			moved = true
			for _, t := range []tokenstore.OAuthToken{{UserName: "fake-1", RefreshToken: "fake-refresh-2"}, {UserName: "fake-2", RefreshToken: "fake-refresh"}} {
				if _, err := other.SaveToken(ctx, t); err != nil {
					return err
				}
			}
		}
		return do(ctx)
	}), secretstore.WithScanLimit(0))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := store.FindToken(ctx, query); err != nil || found.UserName != "fake-2" || !moved {
		t.Errorf("the find gives the token of %q, %v", found.UserName, err)
	}
}

// TestSaveGivesUp makes every write of a token conflict.
func TestSaveGivesUp(t *testing.T) {
	writes := 0
	secrets := drivertest.Inject(memory.New(), func(c drivertest.Call) drivertest.Outcome {
		if c.Method != drivertest.Put || !strings.HasPrefix(c.Name, "tokenstore/tokens/") {
			return drivertest.Outcome{}
		}
		if writes++; writes > 10 {
			return drivertest.Denied
		}
		return drivertest.Outcome{Err: driver.ErrConflict}
	})
	store, err := secretstore.New(secrets, secretstore.WithAttempts(3),
		secretstore.WithSleep(func(context.Context, time.Duration) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
	if !errors.Is(err, tokenstore.ErrConflict) || writes != 3 {
		t.Errorf("%d attempts, and the error is %v", writes, err)
	}
}

// TestSaveThatSleptBeginsAgain stalls a save for two days before it writes its token. In
// the meantime the same token is inserted and deleted, and a repair removes its leftovers.
// The save must not write with its old knowledge.
func TestSaveThatSleptBeginsAgain(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	now := time.Unix(1_700_000_000, 0)
	clock := secretstore.WithClock(func() time.Time { return now })
	token := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: "fake-refresh", UserName: "fake-user"}
	slept := false
	store, err := secretstore.New(drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.Method == drivertest.Put && !slept {
			slept = true // It has claimed a key.
			now = now.Add(48 * time.Hour)
			other, err := secretstore.New(secrets, clock)
			if err != nil {
				return err
			}
			if _, err := other.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
				return err
			}
		}
		return err
	}), clock, secretstore.WithScanLimit(0), secretstore.WithParallelism(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	for _, query := range []tokenstore.OAuthToken{{ID: "", UserName: "fake-user"}, {ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: "fake-refresh"}} {
		if _, err := store.FindToken(ctx, query); err != nil {
			t.Errorf("a token is not found whose save slept: %v", err)
		}
	}
	if report, err := store.Check(ctx); err != nil || report.KeysAdded > 0 {
		t.Errorf("%d keys are missing from the index, %v", report.KeysAdded, err)
	}
}

// TestInsertWhoseKeyIsTakenOver lets a save by user take over the refresh token of
// an insert that is about to write, and another save go to that user's token by
// it. The insert must not succeed as if it had been first.
func TestInsertWhoseKeyIsTakenOver(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	other := newStore(t, secrets)
	user := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"}
	if _, err := other.SaveToken(ctx, user); err != nil {
		t.Fatal(err)
	}
	user.RefreshToken = "fake-refresh-2"
	token := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: "fake-refresh-2"}
	renewed := token
	renewed.AccessToken = "fake-access"
	taken := false
	store := newStore(t, drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if c.Method == drivertest.Put && strings.HasPrefix(c.Name, "tokenstore/tokens/") && !taken {
			taken = true
			for _, t := range []tokenstore.OAuthToken{user, renewed} {
				if _, err := other.SaveToken(ctx, t); err != nil {
					return err
				}
			}
		}
		return do(ctx)
	}))
	saved, err := store.SaveToken(ctx, token)
	if err != nil || !taken || saved.UserName != "fake-user" || saved.AccessToken != "fake-access" {
		t.Errorf("the save gives the token of %q, %v", saved.UserName, err)
	}
	if tokens, err := other.GetTokens(ctx); err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens are stored, %v", len(tokens), err)
	}
}

// TestInsertOverWhatIsDeletedMeanwhile lets others insert and delete the very
// token that a save is about to insert. Their delete has released its keys, so
// the save must not create it on what it knew.
func TestInsertOverWhatIsDeletedMeanwhile(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	clock := secretstore.WithClock(func() time.Time { return time.Unix(1_700_000_000, 0) })
	other := open(t, secrets, clock)
	token := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
	deleted := false
	store := open(t, drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if c.Method == drivertest.Put && strings.HasPrefix(c.Name, "tokenstore/tokens/") && !deleted {
			deleted = true
			theirs, err := other.SaveToken(ctx, token)
			if err != nil {
				return err
			}
			if err := other.DeleteToken(ctx, theirs.ID); err != nil {
				return err
			}
		}
		return do(ctx)
	}), clock, secretstore.WithScanLimit(0))
	if _, err := store.SaveToken(ctx, token); err != nil || !deleted {
		t.Fatal(err)
	}
	token.UserName = ""
	if found, err := store.FindToken(ctx, token); err != nil || found.UserName != "fake-user" {
		t.Errorf("the token is not found by its refresh token: %v", err)
	}
}

// TestRepairLooksAgain has a person put back the earlier key of a token after a
// repair has read it, and before it removes the hint that a lost release left.
func TestRepairLooksAgain(t *testing.T) {
	ctx := t.Context()
	secrets := memory.New()
	now := time.Unix(1_700_000_000, 0)
	clock := secretstore.WithClock(func() time.Time { return now })
	token := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"})
	first, err := open(t, secrets, clock).SaveToken(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + first.ID
	rotated := false
	dying := open(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
		if rotated {
			return drivertest.Denied
		}
		rotated = c.Method == drivertest.Put && c.Name == name
		return drivertest.Outcome{}
	}), clock, secretstore.WithParallelism(1))
	if _, err := dying.SaveToken(ctx, tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-2"}); err != nil || !rotated {
		t.Fatal(err)
	}
	now = now.Add(48 * time.Hour)
	edited := false
	store := open(t, drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.Method == drivertest.Get && c.Name == name && !edited {
			edited = true
			secret, err := secrets.Get(ctx, name)
			if err != nil {
				return err
			}
			secrets.Edit(name, bytes.ReplaceAll(secret.Data, []byte("fake-refresh-2"), []byte("fake-refresh-1")))
		}
		return err
	}), clock, secretstore.WithScanLimit(0), noWait)
	if _, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil || !edited {
		t.Fatal(err)
	}
	token.UserName = ""
	if found, err := store.FindToken(ctx, token); err != nil || found.ID != first.ID {
		t.Errorf("the token is not found by the key that was put back: %v", err)
	}
}
