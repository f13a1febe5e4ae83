package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// redeemerFunc is a redeemer.
type redeemerFunc func(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error)

func (f redeemerFunc) Redeem(ctx context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return f(ctx, t)
}

// provider rotates refresh tokens, and accepts each once.
type provider struct {
	mu    sync.Mutex
	n     int
	spent map[string]bool
	err   error
	life  time.Duration
	keeps bool // refresh tokens stay the same
	delay time.Duration
}

func (p *provider) Redeem(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if p.delay > 0 {
		time.Sleep(p.delay)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.err != nil {
		return tokenstore.OAuthToken{}, p.err
	}
	redeemed := t.RefreshToken + t.GrantToken
	if p.spent[redeemed] {
		return tokenstore.OAuthToken{}, tokensource.ErrNeedsConsent
	}
	life := p.life
	if life == 0 {
		life = time.Hour
	}
	got := tokenstore.OAuthToken{AccessToken: fmt.Sprint("access-", p.n), Expiry: time.Now().Add(life)}
	if !p.keeps {
		if p.spent == nil {
			p.spent = map[string]bool{}
		}
		p.spent[redeemed] = true
		got.RefreshToken = fmt.Sprint("refresh-", p.n)
	}
	return got, nil
}

func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *provider) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// stored is a token whose access token ends in left; negative: it has ended.
func stored(left time.Duration) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{ID: "1", UserName: "u", ClientID: "c", ClientSecret: "s", RefreshToken: "refresh-0",
		AccessToken: "access-0", Expiry: time.Now().Add(left)}
}

var byUser = tokenstore.OAuthToken{UserName: "u"}

// open makes a Source that is closed at the end.
func open(t *testing.T, store tokenstore.Store, r tokensource.Redeemer, options ...tokensource.Option) *tokensource.Source {
	t.Helper()
	options = append([]tokensource.Option{tokensource.WithRandom(func() float64 { return 0.5 })}, options...)
	s, err := tokensource.New(store, r, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// want asks for a token, and expects this access token.
func want(t *testing.T, s *tokensource.Source, access string) {
	t.Helper()
	got, err := s.Token(t.Context(), byUser)
	if err != nil || got.AccessToken != access {
		t.Fatalf("Token: access token %q, %v; want %q", got.AccessToken, err, access)
	}
}

// wantError asks for a token, and expects an error.
func wantError(t *testing.T, s *tokensource.Source, kind error) *tokensource.Error {
	t.Helper()
	got, err := s.Token(t.Context(), byUser)
	if !errors.Is(err, kind) {
		t.Fatalf("Token: access token %q, %v; want %v", got.AccessToken, err, kind)
	}
	var own *tokensource.Error
	errors.As(err, &own)
	return own
}

func TestGoodTokenMakesOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(time.Hour)), &provider{}
		s := open(t, store, p)
		for range 10 {
			want(t, s, "access-0")
		}
		time.Sleep(50 * time.Minute)
		want(t, s, "access-0")
		if reads, writes := store.counts(); reads != 1 || writes != 0 || p.asked() != 0 {
			t.Errorf("%d reads, %d writes, %d redemptions; want 1, 0, 0", reads, writes, p.asked())
		}
	})
}

func TestExpiredTokenIsRedeemedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: time.Second}
		var sources []*tokensource.Source
		for range 8 {
			sources = append(sources, open(t, store, p))
		}
		var wg sync.WaitGroup
		for i := range 256 {
			wg.Go(func() { want(t, sources[i%8], "access-1") })
		}
		wg.Wait()
		if _, writes := store.counts(); writes != 2 || p.asked() != 1 {
			t.Errorf("%d writes, %d redemptions; want 2, 1", writes, p.asked())
		}
		if row := store.row(); row.RefreshToken != "refresh-1" || row.Note != "" {
			t.Errorf("stored: %q, note %q", row.RefreshToken, row.Note)
		}
	})
}

func TestRefreshInTimeDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(90*time.Second)), &provider{delay: 5 * time.Second}
		s := open(t, store, p)
		start := time.Now()
		want(t, s, "access-0")
		if d := time.Since(start); d != 0 {
			t.Errorf("a call with a good token took %s", d)
		}
		time.Sleep(6 * time.Second)
		want(t, s, "access-1")
		if p.asked() != 1 {
			t.Errorf("%d redemptions", p.asked())
		}
	})
}

func TestRefusalIsRememberedUntilConsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{spent: map[string]bool{"refresh-0": true}}
		s, other := open(t, store, p), open(t, store, p)
		for range 3 {
			err := wantError(t, s, tokensource.ErrNeedsConsent)
			if err.Since.IsZero() || time.Until(err.Next) < 23*time.Hour {
				t.Errorf("since %s, next %s", err.Since, err.Next)
			}
			wantError(t, other, tokensource.ErrNeedsConsent)
		}
		if p.asked() != 1 {
			t.Errorf("the provider was asked %d times", p.asked())
		}
		store.edit(func(r *tokenstore.Noted) { r.RefreshToken = "refresh-new" })
		want(t, s, "access-2")
		time.Sleep(25 * time.Hour)
		p.fail(tokensource.ErrNeedsConsent)
		wantError(t, s, tokensource.ErrNeedsConsent)
		wantError(t, other, tokensource.ErrNeedsConsent)
		asked := p.asked()
		time.Sleep(25 * time.Hour)
		wantError(t, s, tokensource.ErrNeedsConsent)
		wantError(t, other, tokensource.ErrNeedsConsent)
		if p.asked() != asked+1 {
			t.Errorf("a day later the provider was asked %d times", p.asked()-asked)
		}
	})
}

func TestTakeoverAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		died := make(chan struct{})
		crashed := open(t, store, redeemerFunc(func(ctx context.Context, _ tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
			<-died
			return tokenstore.OAuthToken{}, ctx.Err()
		}), tokensource.WithClaim(time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := crashed.Token(ctx, byUser); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller got %v", err)
		}
		start := time.Now()
		s := open(t, store, p)
		want(t, s, "access-1")
		if d := time.Since(start); d < 55*time.Second || d > 65*time.Second {
			t.Errorf("taken over after %s", d)
		}
		close(died)
	})
}

func TestGrantIsExchangedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := tokenstore.OAuthToken{ID: "1", UserName: "u", ClientID: "c", ClientSecret: "s", GrantToken: "code"}
		store, p := newFakeStore(row), &provider{}
		a, b := open(t, store, p, tokensource.WithReuse(tokensource.Forever)), open(t, store, p, tokensource.WithReuse(tokensource.Forever))
		var wg sync.WaitGroup
		for _, s := range []*tokensource.Source{a, b, a, b} {
			wg.Go(func() { want(t, s, "access-1") })
		}
		wg.Wait()
		if p.asked() != 1 || store.row().RefreshToken != "refresh-1" || store.row().GrantToken != "code" {
			t.Errorf("%d exchanges", p.asked())
		}
	})
}

func TestDeletedTokenIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(time.Hour)), &provider{}
		s := open(t, store, p)
		want(t, s, "access-0")
		_ = store.DeleteToken(t.Context(), "1")
		want(t, s, "access-0") // until its moment
		time.Sleep(time.Hour)
		wantError(t, s, tokenstore.ErrNotFound)
		wantError(t, s, tokenstore.ErrNotFound)
		if p.asked() != 0 {
			t.Error("a deleted token was redeemed")
		}
	})
}

func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(time.Hour)), &provider{}
		s := open(t, store, p)
		old, _ := s.Token(t.Context(), byUser)
		renewed, err := s.Renew(t.Context(), old)
		if err != nil || renewed.AccessToken != "access-1" {
			t.Fatalf("Renew: %q, %v", renewed.AccessToken, err)
		}
		if again, err := s.Renew(t.Context(), old); err != nil || again.AccessToken != "access-1" {
			t.Errorf("Renew of the old one: %q, %v", again.AccessToken, err)
		}
		if again, err := s.Renew(t.Context(), renewed); err != nil || again.AccessToken != "access-1" {
			t.Errorf("Renew of one that was just issued: %q, %v", again.AccessToken, err)
		}
		time.Sleep(2 * time.Minute)
		if again, err := s.Renew(t.Context(), renewed); err != nil || again.AccessToken != "access-2" {
			t.Errorf("Renew two minutes later: %q, %v", again.AccessToken, err)
		}
		if p.asked() != 2 {
			t.Errorf("%d redemptions", p.asked())
		}
	})
}

func TestCancelledCallerCancelsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: 5 * time.Second}
		s := open(t, store, p)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }()
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			if _, err := s.Token(ctx, byUser); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		})
		synctest.Wait() // The one that is cancelled has begun the refresh.
		wg.Go(func() { want(t, s, "access-1") })
		wg.Wait()
		if p.asked() != 1 {
			t.Errorf("%d redemptions", p.asked())
		}
	})
}

func TestNotSavedIsSavedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		var down atomic.Bool
		down.Store(true)
		store.fault = func(_ context.Context, op string) error {
			if down.Load() && op == "swap" && p.asked() > 0 {
				return &tokenstore.Error{Store: "fake", Op: op, Kind: tokenstore.ErrUnavailable}
			}
			return nil
		}
		s := open(t, store, p)
		for range 3 {
			got, err := s.Token(t.Context(), byUser)
			if got.AccessToken != "access-1" || got.UserName != "u" || got.ID != "1" || !errors.Is(err, tokensource.ErrNotSaved) {
				t.Fatalf("Token: %q, %v", got.AccessToken, err)
			}
			time.Sleep(time.Minute)
		}
		down.Store(false)
		time.Sleep(2 * time.Minute)
		if store.row().RefreshToken != "refresh-1" {
			t.Error("not saved in the background")
		}
		want(t, s, "access-1")
	})
}

// TestSavingIsNoFailure: while a refresh saves, callers with a good token get that without an error.
func TestSavingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(30*time.Second)), &provider{delay: time.Second}
		store.fault = func(context.Context, string) error {
			time.Sleep(2 * time.Second)
			return nil
		}
		s := open(t, store, p)
		for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
			if _, err := s.Token(t.Context(), byUser); err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
		}
		want(t, s, "access-1")
	})
}

func TestCloseSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		var down atomic.Bool
		down.Store(true)
		store.fault = func(_ context.Context, op string) error {
			if down.Load() && op == "swap" && p.asked() > 0 {
				return &tokenstore.Error{Store: "fake", Op: op, Kind: tokenstore.ErrUnavailable}
			}
			return nil
		}
		s := open(t, store, p)
		if _, err := s.Token(t.Context(), byUser); !errors.Is(err, tokensource.ErrNotSaved) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, tokensource.ErrNotSaved) {
			t.Errorf("Close with the store down: %v", err)
		}
		down.Store(false)
		if err := s.Close(t.Context()); err != nil || store.row().RefreshToken != "refresh-1" {
			t.Errorf("Close: %v", err)
		}
		wantError(t, s, tokensource.ErrClosed)
	})
}

func TestForegroundWaitsForTheSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(30*time.Second)), &provider{delay: time.Second}
		s := open(t, store, p, tokensource.WithForeground())
		want(t, s, "access-1")
		if store.row().RefreshToken != "refresh-1" {
			t.Error("the call returned before the save")
		}
	})
}

func TestWithoutSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{keeps: true}
		if _, err := tokensource.New(plainStore{store}, p); !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), "swap") {
			t.Errorf("New: %v", err)
		}
		s := open(t, plainStore{store}, p, tokensource.WithReuse(tokensource.Forever))
		want(t, s, "access-1")
		want(t, s, "access-1")
		if store.row().AccessToken != "access-1" || p.asked() != 1 {
			t.Errorf("stored %q after %d redemptions", store.row().AccessToken, p.asked())
		}
	})
}

// TestUnknownShortLife: with a margin that suits a short life, a process that has not seen an access
// token begin does not take it for the end of a long one. Otherwise every process of a fleet would
// refresh it as soon as it sees it.
func TestUnknownShortLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(40*time.Second)), &provider{life: 40 * time.Second, keeps: true}
		options := []tokensource.Option{tokensource.WithReuse(time.Hour), tokensource.WithMargin(10 * time.Second)}
		first, second := open(t, store, p, options...), open(t, store, p, options...)
		want(t, first, "access-0")
		want(t, second, "access-0")
		time.Sleep(25 * time.Second)
		want(t, first, "access-0")
		synctest.Wait()
		if n := p.asked(); n != 0 {
			t.Errorf("%d redemptions of a young token", n)
		}
		time.Sleep(6 * time.Second)
		want(t, first, "access-0") // It is refreshed in the background.
		synctest.Wait()
		want(t, first, "access-1")
		want(t, second, "access-0")
		synctest.Wait()
		third := open(t, store, p, options...)
		for range 25 {
			for _, s := range []*tokensource.Source{first, second, third} {
				want(t, s, "access-1")
			}
			time.Sleep(time.Second)
		}
		if n := p.asked(); n != 1 {
			t.Errorf("%d redemptions in one life", n)
		}
	})
}
