package secretstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestSaveTokensOfOneRow saves one token under three names in one call: by its
// user, and twice by its ID with what it had before. Each save sees the one
// before it.
func TestSaveTokensOfOneRow(t *testing.T) {
	store := newStore(t, memory.New())
	// Its ID is not that of its user, which would have the saves planned apart.
	first, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", UserName: "fake-user", RefreshToken: "fake-refresh-1"})
	if err != nil {
		t.Fatal(err)
	}
	moved := first
	moved.APIDomain = "https://api.example"
	tokens := []tokenstore.OAuthToken{
		{UserName: "fake-user", APIDomain: moved.APIDomain},
		{ID: first.ID},
		{ID: "unknown", RefreshToken: "fake-refresh-2", AccessToken: "fake-access"},
	}
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil || stored[0] != moved || stored[1] != moved {
		t.Errorf("two saves of one token: %v, %v, %v", stored[0] == moved, stored[1] == moved, err)
	}
	rotated := []tokenstore.OAuthToken{
		{UserName: "fake-user", RefreshToken: "fake-refresh-3"},
		{ID: first.ID, RefreshToken: "fake-refresh-1"},
	}
	if stored, err = store.SaveTokens(t.Context(), rotated); err != nil || stored[1] != moved {
		t.Errorf("a token is rotated and rotated back: %v, %v", stored[1] == moved, err)
	}
	if found, err := store.FindTokenByID(t.Context(), first.ID); err != nil || found != moved {
		t.Errorf("the later of two saves in one call was lost: %v", err)
	}
}

// TestSaveTokensOfADerivedID names, in a call, the ID that another token of the same
// call would get. Whichever comes first has it.
func TestSaveTokensOfADerivedID(t *testing.T) {
	user := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"}
	first, err := newStore(t, memory.New()).SaveToken(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	named := tokenstore.OAuthToken{ID: first.ID, UserName: "fake-other", RefreshToken: "fake-refresh-2"}
	before := tokenstore.OAuthToken{ID: "before", AccessToken: "fake-access"}
	// Without the first, the second goes to the token before.
	byID := tokenstore.OAuthToken{ID: first.ID, AccessToken: before.AccessToken}
	for _, tokens := range [][]tokenstore.OAuthToken{{user, named}, {named, user}, {user, byID}, {byID, user}} {
		single, together := newStore(t, memory.New()), newStore(t, memory.New())
		var want []tokenstore.OAuthToken
		for _, store := range []*secretstore.Store{single, together} {
			if _, err := store.SaveToken(t.Context(), before); err != nil {
				t.Fatal(err)
			}
		}
		for _, token := range tokens {
			saved, err := single.SaveToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, saved)
		}
		stored, err := together.SaveTokens(t.Context(), tokens)
		if err != nil || len(stored) != 2 {
			t.Fatalf("%d tokens, %v", len(stored), err)
		}
		for i := range stored {
			if want[i].ID != first.ID && want[i].ID != before.ID { // It is random.
				want[i].ID = stored[i].ID
			}
			if stored[i] != want[i] {
				t.Errorf("save %d of %v gives %v, and alone %v", i+1, tokens, stored[i], want[i])
			}
		}
	}
}

// TestSaveTokensPlansAFaultAgain has an update that is too large for the row as it is
// before the call, and not after the save before it.
func TestSaveTokensPlansAFaultAgain(t *testing.T) {
	const size = 2000
	long := strings.Repeat("l", size*6/10)
	store := newStore(t, memory.New(memory.WithLimits(driver.Limits{MaxSize: size})))
	first, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "1", UserName: "fake-user", RefreshToken: "fake-refresh", APIDomain: long})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		{ID: first.ID, APIDomain: "https://api.example"},
		{UserName: "fake-user", RedirectURL: long},
	})
	if err != nil || stored[1].ID != first.ID || stored[1].RedirectURL != long {
		t.Errorf("the second save gives %v", err)
	}
	if _, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{{UserName: "fake-user", APIDomain: long}}); !errors.Is(err, tokenstore.ErrTooLarge) {
		t.Errorf("a save that is too large gives %v", err)
	}
}

// TestSaveTokensKeepsOrder has a save in the middle of a batch retry. The ages of the
// tokens still agree with their order.
func TestSaveTokensKeepsOrder(t *testing.T) {
	store := newStore(t, memory.New())
	withClient := func(refresh string) tokenstore.OAuthToken {
		return tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret", RefreshToken: refresh}
	}
	user := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-1"}
	if _, err := store.SaveToken(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	user.RefreshToken = "fake-refresh-2"
	// The first save takes away the key by which the second would be the same token.
	tokens := []tokenstore.OAuthToken{user, withClient("fake-refresh-1"), withClient("fake-refresh-3")}
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	if listed, err := store.GetTokens(t.Context()); err != nil || !slices.Equal(listed, stored) {
		t.Errorf("the tokens are listed in another order than they were saved in: %v", err)
	}
}

// TestSaveTokensSeeTheKeysOfThoseBefore moves a key, in one call, to a token that
// is older than the one which had it alone. The save after it, by that key, goes
// to the older one.
func TestSaveTokensSeeTheKeysOfThoseBefore(t *testing.T) {
	store := newStore(t, memory.New())
	older := client(tokenstore.OAuthToken{ID: "older", UserName: "fake-user", RefreshToken: "fake-refresh-1"})
	younger := client(tokenstore.OAuthToken{ID: "younger", RefreshToken: "fake-refresh-2"})
	for _, token := range []tokenstore.OAuthToken{older, younger} {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		{UserName: "fake-user", RefreshToken: "fake-refresh-2"},
		client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-2", AccessToken: "fake-access"}),
	})
	if err != nil || stored[1].ID != "older" {
		t.Errorf("the second save goes to the token %q, %v", stored[1].ID, err)
	}
}

// TestSaveTokensOnASlowService saves tokens that take a second each, so that the plans of
// the later ones get too old. The index is still written only a few times, not once for
// each token.
func TestSaveTokensOnASlowService(t *testing.T) {
	clock := drivertest.NewClock()
	secrets, n := counting(memory.New(), func(_ context.Context, name string) error {
		if strings.Contains(name, "/tokens/") {
			clock.Advance(time.Second)
		}
		return nil
	})
	store := open(t, secrets, secretstore.WithDocument(1), secretstore.WithClock(clock.Now))
	tokens := newTokens(500)
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil || slices.Contains(stored, tokenstore.OAuthToken{}) {
		t.Errorf("not all are saved: %v", err)
	}
	if n.index.Load() > 3 || n.tokens.Load() != int64(len(tokens)) {
		t.Errorf("%d tokens cost %d writes of tokens and %d of the index", len(tokens), n.tokens.Load(), n.index.Load())
	}
}

// TestSaveTokensOnAVerySlowService saves tokens of which a few get written before the plans are
// too old. After the first group, the others are small enough.
func TestSaveTokensOnAVerySlowService(t *testing.T) {
	clock := drivertest.NewClock()
	secrets, n := counting(memory.New().Batched(), func(_ context.Context, name string) error {
		if strings.Contains(name, "/tokens/") {
			clock.Advance(10 * time.Second)
		}
		return nil
	})
	store := open(t, secrets, secretstore.WithEntries(), secretstore.WithClock(clock.Now), secretstore.WithParallelism(1))
	if _, err := store.SaveTokens(t.Context(), newTokens(300)); err != nil {
		t.Fatalf("%.300v", err)
	}
	if n.tokens.Load() != 300 || n.index.Load() > 1500 { // The keys of the first group are claimed twice.
		t.Errorf("%d writes of tokens and %d of the index", n.tokens.Load(), n.index.Load())
	}
}

// TestSaveTokensThatSlept suspends the machine for two days between two writes of a call. In
// the meantime a repair removes the keys that were claimed.
func TestSaveTokensThatSlept(t *testing.T) {
	plain, clock := memory.New(), drivertest.NewClock()
	options := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithClock(clock.Now), secretstore.WithScanLimit(0), noWait}
	slept := false
	store := open(t, drivertest.Intercept(plain, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.Method == drivertest.Put && strings.Contains(c.Name, "/tokens/") && !slept {
			slept = true
			clock.Advance(48 * time.Hour)
			if _, err := open(t, plain, options...).Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
				t.Error(err)
			}
		}
		return err
	}), append(options, secretstore.WithParallelism(1))...)
	tokens := newTokens(5)
	if _, err := store.SaveTokens(t.Context(), tokens); err != nil || !slept {
		t.Fatalf("slept %v, %v", slept, err)
	}
	for i, token := range tokens {
		if _, err := open(t, plain, options...).FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: token.RefreshToken})); err != nil {
			t.Errorf("token %d is not found: %v", i, err)
		}
	}
}

// TestSaveTokensSaysWhich names the places of the tokens that could not be saved, however
// the call was divided.
func TestSaveTokensSaysWhich(t *testing.T) {
	store := newStore(t, memory.New())
	tokens := []tokenstore.OAuthToken{
		{UserName: "fake-user", RefreshToken: "fake-refresh-1"},
		{UserName: "fake-user", RefreshToken: "fake-refresh-2"},
		{UserName: "nothing to insert"},
	}
	stored, err := store.SaveTokens(t.Context(), tokens)
	if !errors.Is(err, tokenstore.ErrInvalidToken) || !strings.Contains(err.Error(), "save token 3 of 3") {
		t.Errorf("SaveTokens gives %v", err)
	}
	if stored[1].RefreshToken != "fake-refresh-2" || stored[2] != (tokenstore.OAuthToken{}) {
		t.Errorf("SaveTokens returns %v", stored)
	}
}

// TestSaveTokensThatAreNotSavedAreNotReturned has a service that takes no write,
// not even the index's.
func TestSaveTokensThatAreNotSavedAreNotReturned(t *testing.T) {
	for name, form := range forms {
		denied := drivertest.Inject(memory.New(), drivertest.FailMethod(drivertest.Put, drivertest.Outcome{Err: driver.ErrDenied}))
		tokens := []tokenstore.OAuthToken{{UserName: "fake-user-1", RefreshToken: "fake-1"}, {UserName: "fake-user-2", RefreshToken: "fake-2"}}
		stored, err := open(t, denied, form...).SaveTokens(t.Context(), tokens)
		if !errors.Is(err, tokenstore.ErrDenied) || !slices.Equal(stored, make([]tokenstore.OAuthToken, 2)) {
			t.Errorf("%s: %v, %v", name, stored, err)
		}
	}
}
