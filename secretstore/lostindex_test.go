package secretstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// noLists is a service whose role may not list.
func noLists(secrets driver.Secrets) driver.Secrets {
	return drivertest.Inject(secrets, drivertest.FailMethod(drivertest.List, drivertest.Outcome{Err: driver.ErrDenied}))
}

// loseIndex removes the documents of an index, as a person does in a console: all,
// or only one that is not the root.
func loseIndex(t *testing.T, secrets *memory.Secrets, all bool) {
	t.Helper()
	removed := 0
	for name, err := range secrets.List(t.Context(), "tokenstore/index/") {
		if err != nil {
			t.Fatal(err)
		}
		if all || !strings.HasSuffix(name, "/root") && removed == 0 {
			secrets.Remove(name)
			removed++
		}
	}
	if removed == 0 {
		t.Fatal("there was no index to lose")
	}
}

// TestLostIndexHidesNoToken removes the documents of the index, which are the list
// of all tokens. A role that may list still sees and finds every token.
func TestLostIndexHidesNoToken(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	writer := open(t, secrets, secretstore.WithDocument(4), noWait)
	const tokens = 12
	for i := range tokens {
		token := client(tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: fmt.Sprint("fake-refresh-", i)})
		if _, err := writer.SaveToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	loseIndex(t, secrets, true)
	for name, store := range map[string]*secretstore.Store{
		"a new process":         open(t, secrets, secretstore.WithDocument(4), noWait),
		"one that had seen all": writer,
	} {
		if got, err := store.GetTokens(ctx); err != nil || len(got) != tokens {
			t.Errorf("%s: %d tokens, %v", name, len(got), err)
		}
		if _, err := store.FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-3"})); err != nil {
			t.Errorf("%s: find by refresh token: %v", name, err)
		}
	}
	barred := open(t, noLists(secrets), secretstore.WithDocument(4), noWait)
	if got, err := barred.GetTokens(ctx); err != nil || len(got) != 0 {
		t.Errorf("a role that may not list, and knows of no token: %d tokens, %v", len(got), err)
	}
	if _, err := barred.FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-3"})); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a role that may not list, and knows of no token: find: %v", err)
	}
}

// TestDeleteTokensOfALostIndex deletes all tokens after all of the index, or a
// part of it, was lost: nothing that a person believes deleted may stay.
func TestDeleteTokensOfALostIndex(t *testing.T) {
	for _, all := range []bool{false, true} {
		ctx, secrets := t.Context(), memory.New()
		store := open(t, secrets, secretstore.WithDocument(4), noWait)
		for i := range 12 {
			if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: "fake-refresh"}); err != nil {
				t.Fatal(err)
			}
		}
		loseIndex(t, secrets, all)
		if err := store.DeleteTokens(ctx); err != nil {
			t.Error(err)
		}
		for i := range 12 {
			user := tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i)}
			if _, err := store.FindToken(ctx, user); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("all lost %t: after DeleteTokens user %d is found, %v", all, i, err)
			}
		}
	}
}

// TestDeleteTokensWithoutListing has a role that may write and not list: the list
// of tokens in the index is enough.
func TestDeleteTokensWithoutListing(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	store := open(t, noLists(secrets), secretstore.WithDocument(1), noWait)
	if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"}); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteTokens(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "fake-user"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("after DeleteTokens: %v", err)
	}
	// With an index of entries the service's list is the only one.
	entries := open(t, noLists(secrets), secretstore.WithEntries(), noWait)
	if err := entries.DeleteTokens(ctx); !errors.Is(err, tokenstore.ErrDenied) {
		t.Errorf("without any list of tokens: %v", err)
	}
}

// TestDeleteTokensOfAnIndexThatMayNotBeRead has a role that lost a permission: a
// person must not believe that the tokens are gone.
func TestDeleteTokensOfAnIndexThatMayNotBeRead(t *testing.T) {
	for _, part := range []string{"/", "/index/"} {
		ctx, secrets := t.Context(), memory.New()
		if _, err := open(t, secrets, secretstore.WithDocument(1)).SaveToken(ctx, tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"}); err != nil {
			t.Fatal(err)
		}
		denied := drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
			if strings.Contains(c.Name, part) {
				return drivertest.Outcome{Err: driver.ErrDenied}
			}
			return drivertest.Outcome{}
		})
		store := open(t, denied, secretstore.WithDocument(1), noWait)
		if err := store.DeleteTokens(ctx); !errors.Is(err, tokenstore.ErrDenied) {
			t.Errorf("%q denied: DeleteTokens: %v", part, err)
		}
		if _, err := store.GetTokens(ctx); !errors.Is(err, tokenstore.ErrDenied) {
			t.Errorf("%q denied: GetTokens: %v", part, err)
		}
	}
}

// TestDeleteTokensBesideABrokenIndex deletes all tokens while the index cannot be parsed:
// the service's list is used, but it may be incomplete.
func TestDeleteTokensBesideABrokenIndex(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	store := open(t, secrets, secretstore.WithDocument(1), noWait)
	token, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit("tokenstore/index/root", []byte("{"))
	if err := store.DeleteTokens(ctx); !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), "index/root") {
		t.Errorf("DeleteTokens: %v", err)
	}
	if _, err := store.FindTokenByID(ctx, token.ID); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("after that: %v", err)
	}
	if err := open(t, noLists(secrets), secretstore.WithDocument(1), noWait).DeleteTokens(ctx); !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("without any list: %v", err)
	}
}

// TestEmptiedStoreCostsWhatItDid reads a store whose tokens were all deleted: their
// tombstones are not read each time.
func TestEmptiedStoreCostsWhatItDid(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	options := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), noWait}
	store := open(t, secrets, options...)
	for i := range 30 {
		if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: fmt.Sprint("fake-user-", i), RefreshToken: "fake-refresh"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.DeleteTokens(ctx); err != nil {
		t.Fatal(err)
	}
	counted, counts := drivertest.Count(secrets)
	if tokens, err := open(t, counted, options...).GetTokens(ctx); err != nil || len(tokens) != 0 || counts.Total() > 1 {
		t.Errorf("GetTokens: %d tokens, %v, %v", len(tokens), err, counts)
	}
	counts.Reset()
	if _, err := open(t, counted, options...).FindToken(ctx, tokenstore.OAuthToken{AccessToken: "fake-access"}); !errors.Is(err, tokenstore.ErrNotFound) || counts.Total() > 2 {
		t.Errorf("FindToken: %v, %v", err, counts)
	}
	counts.Reset()
	if err := open(t, counted, options...).DeleteTokens(ctx); err != nil || counts.Writes() != 0 {
		t.Errorf("DeleteTokens: %v, %v", err, counts)
	}
}
