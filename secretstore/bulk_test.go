// Bulk operations: what they cost, at which pace they write, and what a fault in the middle
// of one leaves.

package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// tally counts the writes of a service.
type tally struct{ tokens, index atomic.Int64 }

// counting returns secrets whose writes are counted, and delayed or refused by before if
// that is not nil.
func counting(secrets driver.Secrets, before func(ctx context.Context, name string) error) (driver.Secrets, *tally) {
	n := &tally{}
	return drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if !c.Method.Writes() {
			return do(ctx)
		}
		if before != nil {
			if err := before(ctx, c.Name); err != nil {
				return err
			}
		}
		if strings.Contains(c.Name, "/index/") {
			n.index.Add(1)
		} else {
			n.tokens.Add(1)
		}
		return do(ctx)
	}), n
}

// mustSaveAll fails the test unless all tokens are saved, and then found by their refresh
// tokens.
func mustSaveAll(t *testing.T, store *secretstore.Store, tokens []tokenstore.OAuthToken) {
	t.Helper()
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil {
		t.Fatalf("%.500s", err)
	}
	last := map[string]string{}
	for i, token := range tokens {
		last[stored[i].ID] = token.RefreshToken
	}
	for id, refresh := range last {
		if found, err := store.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: refresh})); err != nil || found.ID != id {
			t.Fatalf("%s: found %s, %v", id, found.ID, err)
		}
	}
}

// TestSaveTokensOfTwins has each user twice, next to each other. The index is written
// twice, not once for each user.
func TestSaveTokensOfTwins(t *testing.T) {
	secrets, n := counting(memory.New().Batched(), nil)
	store := open(t, secrets, secretstore.WithDocument(1), secretstore.WithoutAccessIndex())
	var tokens []tokenstore.OAuthToken
	for _, token := range newTokens(500) {
		newer := token
		newer.RefreshToken += "-rotated"
		tokens = append(tokens, token, newer)
	}
	mustSaveAll(t, store, tokens)
	if n.index.Load() > 5 || n.tokens.Load() != 1000 {
		t.Errorf("%d writes of tokens and %d of the index", n.tokens.Load(), n.index.Load())
	}
}

// TestSaveTokensAmongOthers has tokens that cannot be saved, and tokens that a person has
// edited, in between. None of them makes others be saved one by one.
func TestSaveTokensAmongOthers(t *testing.T) {
	plain := memory.New().Batched()
	secrets, n := counting(plain, nil)
	store := open(t, secrets, secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithScanLimit(0), noWait)
	tokens := newTokens(300)
	stored, err := store.SaveTokens(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(stored); i += 10 {
		secret, err := plain.Get(t.Context(), "tokenstore/tokens/"+stored[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		secret.Data = editedData(t, secret.Data, func(fields map[string]any) { fields["grant_token"] = fmt.Sprint("typed-", i) })
		if _, err := plain.Put(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	var all []tokenstore.OAuthToken
	for i, token := range tokens {
		token.AccessToken = fmt.Sprint("fake-access-", i)
		all = append(all, token)
		if i%10 == 5 {
			all = append(all, tokenstore.OAuthToken{UserName: fmt.Sprint("nothing to insert ", i)})
		}
	}
	n.index.Store(0)
	_, err = store.SaveTokens(t.Context(), all)
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 30 || !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("30 of %d are invalid: %.300v", len(all), err)
	}
	if n.index.Load() > 3 {
		t.Errorf("%d writes of the index", n.index.Load())
	}
	for i := 0; i < len(stored); i += 10 {
		query := client(tokenstore.OAuthToken{GrantToken: fmt.Sprint("typed-", i)})
		if found, err := store.FindToken(t.Context(), query); err != nil || found.ID != stored[i].ID {
			t.Fatalf("edited token %d: %s, %v", i, found.ID, err)
		}
	}
}

// TestSaveTokensPastAFullDocument has one document of the index that takes no writes. The
// tokens that have no key in it are saved, and no document is written for each token.
func TestSaveTokensPastAFullDocument(t *testing.T) {
	for _, refusal := range []error{driver.ErrQuota, driver.ErrTooLarge} {
		full := ""
		secrets, n := counting(memory.New().Batched(), func(_ context.Context, name string) error {
			if name == full {
				return fmt.Errorf("%w (injected)", refusal)
			}
			return nil
		})
		store := open(t, secrets, secretstore.WithDocument(8), secretstore.WithoutAccessIndex())
		mustSaveAll(t, store, newTokens(100))
		for name, err := range secrets.List(t.Context(), "tokenstore/index/") {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, "root") {
				full = max(full, name)
			}
		}
		n.index.Store(0)
		tokens := make([]tokenstore.OAuthToken, 400)
		for i := range tokens {
			tokens[i] = client(tokenstore.OAuthToken{UserName: fmt.Sprint("more", i), RefreshToken: fmt.Sprint("more-refresh", i)})
		}
		stored, err := store.SaveTokens(t.Context(), tokens)
		saved := len(slices.DeleteFunc(slices.Clone(stored), func(t tokenstore.OAuthToken) bool { return t == tokenstore.OAuthToken{} }))
		if !errors.Is(err, refusal) || saved < 250 || saved > 350 { // Three of four.
			t.Errorf("%d of %d are saved, %.300v", saved, len(tokens), err)
		}
		if n.index.Load() > 7 {
			t.Errorf("%d writes of the index", n.index.Load())
		}
		for i, token := range stored {
			if token == (tokenstore.OAuthToken{}) {
				continue
			}
			if found, err := store.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: tokens[i].RefreshToken})); err != nil || found.ID != token.ID {
				t.Fatalf("token %d: %v", i, err)
			}
		}
	}
}

// TestSaveTokensAfterALostClaim loses the replies of two claims. That does not fail
// thousands of tokens, and a service that never answers does.
func TestSaveTokensAfterALostClaim(t *testing.T) {
	for _, lost := range []int64{2, 1000} {
		var claims atomic.Int64
		secrets, _ := counting(memory.New(), func(_ context.Context, name string) error {
			if strings.Contains(name, "/index/") && claims.Add(1) <= lost {
				return drivertest.LoseReply.Err
			}
			return nil
		})
		stored, err := open(t, secrets, secretstore.WithDocument(1), noWait).SaveTokens(t.Context(), newTokens(50))
		if wanted := lost == 1000; wanted != errors.Is(err, tokenstore.ErrUnavailable) || wanted != slices.Contains(stored, tokenstore.OAuthToken{}) {
			t.Errorf("%d replies are lost: %.300v", lost, err)
		}
	}
}

// TestSaveTokensThatIsCancelled ends the context after some writes. What was written is
// returned, and the error names everything else.
func TestSaveTokensThatIsCancelled(t *testing.T) {
	plain := memory.New()
	ctx, cancel := context.WithCancel(t.Context())
	var writes atomic.Int64
	secrets, _ := counting(plain, func(ctx context.Context, name string) error {
		if strings.Contains(name, "/tokens/") && writes.Add(1) == 50 {
			cancel()
		}
		return ctx.Err()
	})
	tokens := newTokens(200)
	stored, err := open(t, secrets, secretstore.WithDocument(1)).SaveTokens(ctx, tokens)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%.300v", err)
	}
	faults := len(err.(interface{ Unwrap() []error }).Unwrap())
	all, err := open(t, plain, secretstore.WithDocument(1)).GetTokens(t.Context())
	if err != nil || len(all) < 20 || len(all)+faults != len(tokens) {
		t.Errorf("%d tokens are stored, %d failed, %v", len(all), faults, err)
	}
	for _, token := range all {
		if !slices.Contains(stored, token) {
			t.Errorf("%s is stored, but not returned", token.ID)
		}
	}
}

// ratedService returns a service with a rate, in a bubble of synctest.
func ratedService(latency time.Duration, creates, updates float64, also func(name string) error) (driver.Secrets, *tally) {
	secrets := memory.New(memory.WithLimits(driver.Limits{CreatesPerSecond: creates, UpdatesPerSecond: updates})).Batched()
	return counting(secrets, func(_ context.Context, name string) error {
		time.Sleep(latency)
		if also != nil {
			return also(name)
		}
		return nil
	})
}

// TestBulkSavesShareARate saves tokens in two calls at once. Together they keep below the
// service's rate, and single saves in between do not wait.
func TestBulkSavesShareARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets, n := ratedService(100*time.Millisecond, 50, 25, nil)
		store := open(t, secrets, secretstore.WithDocument(1))
		begun := time.Now()
		var calls sync.WaitGroup
		for i := range 2 {
			calls.Go(func() {
				tokens := newTokens(200)
				for j := range tokens {
					tokens[j].UserName, tokens[j].RefreshToken = fmt.Sprint(i, tokens[j].UserName), fmt.Sprint(i, tokens[j].RefreshToken)
				}
				if _, err := store.SaveTokens(t.Context(), tokens); err != nil {
					t.Errorf("%.300v", err)
				}
			})
		}
		time.Sleep(3 * time.Second)
		single := time.Now()
		if _, err := store.SaveToken(t.Context(), client(tokenstore.OAuthToken{ID: "single", RefreshToken: "single"})); err != nil {
			t.Error(err)
		}
		if took := time.Since(single); took > 300*time.Millisecond {
			t.Errorf("a single save took %v", took)
		}
		calls.Wait()
		took := time.Since(begun)
		t.Logf("400 tokens took %v, %d writes of the index", took, n.index.Load())
		if took < 400*time.Second/50 || took > 400*time.Second/50*13/10 {
			t.Errorf("400 tokens took %v", took)
		}
	})
}

// TestBulkSaveWithoutARate saves tokens as fast as the service answers.
func TestBulkSaveWithoutARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets, _ := ratedService(10*time.Millisecond, 0, 0, nil)
		begun := time.Now()
		if _, err := open(t, secrets, secretstore.WithDocument(1)).SaveTokens(t.Context(), newTokens(1600)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 1100*time.Millisecond {
			t.Errorf("1,600 writes of 10 ms, several at a time, took %v", took)
		}
	})
}

// TestThrottledBulkSave has a service that takes far less than it says. No token fails.
func TestThrottledBulkSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seconds, throttled := map[int64]int{}, 0
		secrets, _ := ratedService(50*time.Millisecond, 50, 25, func(string) error {
			mu.Lock()
			defer mu.Unlock()
			if seconds[time.Now().Unix()]++; seconds[time.Now().Unix()] > 10 {
				throttled++
				return driver.ErrThrottled
			}
			return nil
		})
		store := open(t, secrets, secretstore.WithDocument(4))
		tokens := newTokens(300)
		mustSaveAll(t, store, tokens)
		if throttled == 0 || throttled > 100 {
			t.Errorf("%d writes were throttled", throttled)
		}
		if err := store.DeleteTokens(t.Context()); err != nil {
			t.Errorf("DeleteTokens: %.300v", err)
		}
		if all, err := store.GetTokens(t.Context()); err != nil || len(all) > 0 {
			t.Errorf("%d tokens are left, %v", len(all), err)
		}
	})
}

// TestBulkDeletionReadsTogether deletes many tokens. They are read in batches, and deleted at
// the service's rate.
func TestBulkDeletionReadsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets, _ := ratedService(100*time.Millisecond, 50, 25, nil)
		if _, err := open(t, secrets, secretstore.WithDocument(1)).SaveTokens(t.Context(), newTokens(500)); err != nil {
			t.Fatal(err)
		}
		reading, c := observedStore(t, secrets, secretstore.WithDocument(1))
		begun := time.Now()
		if err := reading.DeleteTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 20*time.Second || took > 26*time.Second {
			t.Errorf("500 deletions at 25 a second took %v", took)
		}
		if c.reads > 6 || c.indexWrites != 1 {
			t.Errorf("%v calls", *c)
		}
	})
}

// TestBulkSaveThatSlept suspends the machine for two days while a write waits for its turn. In
// the meantime the same tokens are inserted and deleted, and a repair removes their leftovers.
// The save must not write with its old knowledge.
func TestBulkSaveThatSlept(t *testing.T) {
	ctx, plain := t.Context(), memory.New(memory.WithLimits(driver.Limits{CreatesPerSecond: 5, UpdatesPerSecond: 5}))
	clock := drivertest.NewClock()
	tokens := newTokens(3)
	slept := false
	store := open(t, plain, secretstore.WithDocument(1), secretstore.WithClock(clock.Now), secretstore.WithParallelism(1), secretstore.WithScanLimit(0),
		secretstore.WithSleep(func(ctx context.Context, d time.Duration) error {
			if listed, err := plain.Get(ctx, "tokenstore/index/root"); err == nil && !slept && len(listed.Data) > 0 {
				slept = true // The keys are claimed.
				clock.Advance(48 * time.Hour)
				other := open(t, plain, secretstore.WithDocument(1), secretstore.WithClock(clock.Now), noWait)
				if _, err := other.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
					t.Error(err)
				}
			}
			return clock.Sleep(ctx, d)
		}))
	stored, err := store.SaveTokens(ctx, tokens)
	if err != nil || !slept {
		t.Fatalf("slept %v, %v", slept, err)
	}
	for i, token := range tokens {
		found, err := open(t, plain, secretstore.WithDocument(1), secretstore.WithScanLimit(0), secretstore.WithClock(clock.Now)).FindToken(ctx, client(tokenstore.OAuthToken{RefreshToken: token.RefreshToken}))
		if err != nil || found.ID != stored[i].ID {
			t.Errorf("token %d is not found: %v", i, err)
		}
	}
}

// TestSaveTokensAfterACrash saves the tokens of a process that died after it had claimed
// their keys. The hints that it left are looked at together, not for each token.
func TestSaveTokensAfterACrash(t *testing.T) {
	for name, form := range forms {
		plain, tokens := memory.New().Batched(), newTokens(300)
		dying, _ := counting(plain, func(_ context.Context, name string) error {
			if strings.Contains(name, "/tokens/") {
				return drivertest.Denied.Err
			}
			return nil
		})
		if _, err := open(t, dying, form...).SaveTokens(t.Context(), tokens); !errors.Is(err, tokenstore.ErrDenied) {
			t.Fatalf("%s: %.300v", name, err)
		}
		store, c := observedStore(t, plain, form...)
		stored, err := store.SaveTokens(t.Context(), tokens)
		if err != nil || slices.Contains(stored, tokenstore.OAuthToken{}) {
			t.Errorf("%s: %.300v", name, err)
		}
		if c.reads > 10 || c.writes-c.indexWrites != len(tokens) || c.indexWrites > 2*len(tokens) {
			t.Errorf("%s: %v calls", name, *c)
		}
	}
}
