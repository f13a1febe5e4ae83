package secretstore_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestGrowth stores very many tokens: a find costs the calls that it costs with
// ten, GetTokens reads every token once and every document once, or twice if it is
// the process's first and they were written just now, and no document outgrows what
// a secret holds. It stores 5,000 tokens in 16 documents, or 100,000 in 256 if
// TOKENSTORE_LONG is set.
func TestGrowth(t *testing.T) {
	const secretSize = 64 << 10
	n, fanout := 5_000, 16
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n, fanout = 100_000, 256
	}
	form := []secretstore.Option{secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex()}
	secrets := memory.New().Batched()
	store := open(t, secrets, form...)
	for chunk := range slices.Chunk(newTokens(n), 20_000) {
		if _, err := store.SaveTokens(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	report, err := store.Check(t.Context())
	if err != nil || report.Tokens != n || report.KeysAdded+report.HintsRemoved+report.HintsYoung != 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
	for _, s := range report.Index {
		if s.Size > secretSize {
			t.Errorf("%s has %d bytes", s.Name, s.Size)
		}
	}
	for _, i := range []int{0, n / 2, n - 1} {
		cold, count := observedStore(t, secrets, form...)
		token, err := cold.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: fmt.Sprintf("new-refresh%d", i)}))
		if want := fmt.Sprintf("new%d", i); err != nil || token.UserName != want || count.reads != 3 {
			t.Errorf("found %v with %d reads, %v; want %s with 3", token, count.reads, err, want)
		}
	}
	var read atomic.Int64
	cold := open(t, secrets, append(form, secretstore.WithObserver(func(_ context.Context, c secretstore.Call) { read.Add(int64(c.Secrets)) }))...)
	// Just after the saves a token might be on its way from one document to another.
	for _, want := range []int{n + 1 + 2*fanout, n + fanout} {
		read.Store(0)
		if all, err := cold.GetTokens(t.Context()); err != nil || len(all) != n || read.Load() != int64(want) {
			t.Errorf("%d tokens, %v, with %d secrets read; want %d tokens and %d reads", len(all), err, read.Load(), n, want)
		}
	}
}

// limited is a service that refuses more than 100 writes of one secret in a day, as AWS
// does.
type limited struct {
	driver.Secrets
	clock  *drivertest.Clock
	mu     sync.Mutex
	writes map[string][]time.Time
}

func newLimited(clock *drivertest.Clock) *limited {
	secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: 65536, WritesPerDay: 90})).Batched()
	return &limited{Secrets: secrets, clock: clock, writes: map[string][]time.Time{}}
}

func (l *limited) Unwrap() driver.Secrets { return l.Secrets }

func (l *limited) Put(ctx context.Context, s driver.Secret) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	w := l.writes[s.Name]
	for len(w) > 0 && now.Sub(w[0]) >= 24*time.Hour {
		w = w[1:]
	}
	if len(w) >= 100 {
		return "", fmt.Errorf("%w: %s", driver.ErrQuota, s.Name)
	}
	revision, err := l.Secrets.Put(ctx, s)
	if err == nil {
		w = append(w, now)
	}
	l.writes[s.Name] = w
	return revision, err
}

// TestGrowthByItself saves tokens one by one over a day, on a service whose secrets take
// 100 writes a day, beginning with one document.
func TestGrowthByItself(t *testing.T) {
	const writers = 8
	n := 2_000
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n = 50_000
	}
	clock := drivertest.NewClock()
	secrets := newLimited(clock)
	form := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex(), secretstore.WithClock(clock.Now), secretstore.WithSleep(clock.Sleep)}
	tokens := newTokens(n)
	var saving sync.WaitGroup
	for w := range writers {
		store := open(t, secrets, form...)
		saving.Go(func() {
			for i := w; i < n; i += writers {
				clock.Advance(24 * time.Hour / time.Duration(n))
				if _, err := store.SaveToken(t.Context(), tokens[i]); err != nil {
					t.Errorf("token %d: %v", i, err)
					return
				}
			}
		})
	}
	saving.Wait()
	most := 0
	report, err := open(t, secrets, form...).Check(t.Context())
	if err != nil || report.Tokens != n || report.KeysAdded != 0 {
		t.Errorf("check: %d tokens, %d keys lost, %v", report.Tokens, report.KeysAdded, err)
	}
	for _, s := range report.Index {
		most = max(most, s.WritesToday)
	}
	t.Logf("%d documents, at most %d writes", len(report.Index), most)
	for _, i := range []int{0, n / 2, n - 1} {
		cold, count := observedStore(t, secrets, form...)
		token, err := cold.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: fmt.Sprintf("new-refresh%d", i)}))
		if want := fmt.Sprintf("new%d", i); err != nil || token.UserName != want || count.reads != 3 {
			t.Errorf("found %v with %d reads, %v; want %s with 3", token, count.reads, err, want)
		}
	}
}
