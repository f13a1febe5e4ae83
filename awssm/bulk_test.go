// Bulk saves in an account with the quotas and rates of the real service.

package awssm_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// account is the service with its real limits and rates, in a bubble of synctest: calls
// that are made at the same time take as long as the slowest of them.
type account struct {
	*testing.T
	service *awssmtest.Service
	clock   *awssmtest.Clock
	mu      sync.Mutex
	calls   map[string]int // that write the index, by operation and secret
}

// inAccount runs a test in an account whose calls take that long.
func inAccount(t *testing.T, latency time.Duration, test func(*account)) {
	synctest.Test(t, func(t *testing.T) {
		config := awssmtest.Real()
		config.Latency = latency
		a := &account{T: t, clock: drivertest.NewWallClock(), calls: map[string]int{}}
		a.service = awssmtest.New(config, a.clock)
		a.service.Observe(func(op, id string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if strings.Contains(id, "/index/") && (op == "CreateSecret" || op == "PutSecretValue") {
				a.calls[id]++
			}
		})
		test(a)
	})
}

// store returns the store of a new process.
func (a *account) store(options ...awssm.Option) *secretstore.Store {
	a.Helper()
	s, err := awssm.New(a.service, append([]awssm.Option{awssm.WithClock(a.clock.Now, a.clock.Sleep)}, options...)...)
	if err != nil {
		a.Fatal(err)
	}
	return s
}

// indexWrites returns the number of secrets of the index that were written, and of writes.
func (a *account) indexWrites() (documents, writes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.calls {
		documents++
		writes += n
	}
	return documents, writes
}

// newUsers returns tokens of users that no store has.
func newUsers(n int) []tokenstore.OAuthToken {
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = tokenstore.OAuthToken{
			UserName: fmt.Sprint("user-", i, "@zylker.example:1"), ClientID: "fake-client", ClientSecret: "fake-secret",
			RefreshToken: fmt.Sprint("fake-refresh-", i), AccessToken: fmt.Sprint("fake-access-", i),
		}
	}
	return tokens
}

// found fails the test unless a new process finds each of some tokens by user and by
// refresh token.
func (a *account) found(tokens []tokenstore.OAuthToken) {
	a.Helper()
	store := a.store()
	for i, token := range tokens {
		for _, query := range []tokenstore.OAuthToken{{UserName: token.UserName}, {ClientID: "c", ClientSecret: "s", RefreshToken: token.RefreshToken}} {
			if found, err := store.FindToken(a.Context(), query); err != nil || found != token {
				a.Fatalf("token %d: %v, %v", i, found, err)
			}
		}
	}
}

// TestFirstBulkSave saves many tokens into a new store, whose index has one document to
// begin with. No quota is met, and the index is written hardly more than once a document.
func TestFirstBulkSave(t *testing.T) {
	for _, n := range []int{500, 1500, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inAccount(t, 130*time.Millisecond, func(a *account) {
				begun := time.Now()
				stored, err := a.store().SaveTokens(a.Context(), newUsers(n))
				if err != nil {
					a.Fatalf("%.300s", err)
				}
				took := time.Since(begun)
				documents, writes := a.indexWrites()
				a.Logf("%d tokens in %v; %d documents, %d writes of the index", n, took, documents, writes)
				if writes > 2*documents {
					a.Errorf("%d documents were written %d times", documents, writes)
				}
				if least := time.Duration(n) * time.Second / 50; took > least*13/10+5*time.Second {
					a.Errorf("%d tokens took %v, and at 50 a second they take %v", n, took, least)
				}
				some := stored
				if testing.Short() || n > 500 {
					some = append(stored[:20:20], stored[n-20:]...)
				}
				a.found(some)
				if all, err := a.store().GetTokens(a.Context()); err != nil || len(all) != n || all[n-1] != stored[n-1] {
					a.Errorf("%d of %d tokens are listed, %v", len(all), n, err)
				}
			})
		})
	}
}

// TestBulkSaveIsFast saves new tokens, and then other fields of them, hardly slower than the
// service's rates allow: 50 new secrets a second, or 25 new versions, which take two calls
// each.
func TestBulkSaveIsFast(t *testing.T) {
	inAccount(t, 80*time.Millisecond, func(a *account) {
		const n = 1000
		tokens := newUsers(n)
		for _, rate := range []int{50, 25} {
			begun := time.Now()
			if _, err := a.store().SaveTokens(a.Context(), tokens); err != nil {
				a.Fatalf("%.300s", err)
			}
			took, least := time.Since(begun), n*time.Second/time.Duration(rate)
			a.Logf("%d tokens at %d a second: %v, %.2f times the least", n, rate, took, took.Seconds()/least.Seconds())
			if took > least*13/10 {
				a.Errorf("%d tokens took %v, and at %d a second they take %v", n, took, rate, least)
			}
			for i := range tokens {
				tokens[i].AccessToken += "-renewed"
			}
		}
	})
}
