package awssm_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/index"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// TestGrowth saves tokens one by one, from 8 processes over a day, into an empty store with
// the real quotas and the default options: no save fails, no key is lost, and a find costs
// what it costs with one token. It saves 50,000 tokens if TOKENSTORE_LONG is set, else 2,000.
func TestGrowth(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	const processes = 8
	n := 2000
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n = 50_000
	}
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	open := func() *secretstore.Store {
		store, err := awssm.New(service, awssm.WithClock(clock.Now, clock.Sleep))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	token := func(i int) tokenstore.OAuthToken {
		return tokenstore.OAuthToken{
			UserName: fmt.Sprintf("user-%d@example.com", i), ClientID: "c", ClientSecret: "s",
			RefreshToken: fmt.Sprint("1000.refresh.", i), AccessToken: fmt.Sprint("1000.access.", i),
		}
	}
	var saving sync.WaitGroup
	for p := range processes {
		store := open()
		saving.Go(func() {
			for i := p; i < n; i += processes {
				clock.Advance(adaptertest.Day / time.Duration(n))
				if _, err := store.SaveToken(t.Context(), token(i)); err != nil {
					t.Errorf("token %d: %v", i, err)
					return
				}
			}
		})
	}
	began := clock.Now()
	saving.Wait()
	t.Logf("%d tokens in %v, %v", n, clock.Now().Sub(began), service.Calls())
	report, err := open().Check(t.Context())
	if err != nil || report.Tokens != n || report.KeysAdded+report.HintsRemoved != 0 {
		t.Errorf("check: %d tokens, %d keys without a hint, %d hints without a token, %v", report.Tokens, report.KeysAdded, report.HintsRemoved, err)
	}
	checkDocuments(t, report.Index, n)
	for _, i := range []int{0, n / 2, n - 1} {
		store := open()
		before := service.Calls()
		want := token(i)
		found, err := store.FindToken(t.Context(), tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: want.RefreshToken})
		if err != nil || found.UserName != want.UserName {
			t.Errorf("token %d is not found by its refresh token: %v", i, err)
		}
		reads := service.Calls()["GetSecretValue"] - before["GetSecretValue"]
		if reads != 3 { // The root, the document, the token.
			t.Errorf("a find makes %d reads", reads)
		}
	}
}

// checkDocuments checks that the documents of an index are not full, have writes left, and
// are no more than twice as many as the writes of n new tokens need.
func checkDocuments(t *testing.T, stats []index.Stat, n int) {
	t.Helper()
	size, writes := 0, 0
	for _, s := range stats {
		size, writes = max(size, s.Size), max(writes, s.WritesToday)
	}
	t.Logf("%d documents, with at most %d bytes and %d writes in a day", len(stats), size, writes)
	if size > 60_000 || writes > 95 {
		t.Errorf("%d bytes, %d writes", size, writes)
	}
	const half = 33 // writes on average, when the fan-out was doubled for the last time
	if most := 1 + 2*2*n/half; len(stats) > most {
		t.Errorf("%d documents for %d tokens, want at most %d", len(stats), n, most)
	}
}
