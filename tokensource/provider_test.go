package tokensource_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// note returns the fields of the only row's note.
func (s *fakeStore) note() []string { return strings.Fields(s.row().Note) }

func TestThrottledForLongPausesTheFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		p.fail(&tokensource.Error{Kind: tokensource.ErrThrottled, Next: time.Now().Add(10 * time.Minute)})
		s, other := open(t, store, p), open(t, store, p)
		err := wantError(t, s, tokensource.ErrThrottled)
		if d := time.Until(err.Next); d != 10*time.Minute || !tokenstore.Retryable(err) {
			t.Errorf("next in %s", d)
		}
		if n := store.note(); len(n) != 4 || n[0] != "paused" || n[2] != "600" {
			t.Errorf("note %q", n)
		}
		p.fail(nil)
		time.Sleep(9 * time.Minute)
		wantError(t, other, tokensource.ErrThrottled)
		wantError(t, s, tokenstore.ErrThrottled)
		if p.asked() != 1 {
			t.Errorf("asked %d times during the pause", p.asked())
		}
		time.Sleep(time.Minute)
		want(t, other, "access-2")
	})
}

func TestThrottledForShortKeepsTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		p.fail(&tokensource.Error{Kind: tokensource.ErrThrottled, Next: time.Now().Add(5 * time.Second)})
		s := open(t, store, p)
		err := wantError(t, s, tokensource.ErrThrottled)
		if d := time.Until(err.Next); d != time.Minute || store.note()[0] != "claimed" {
			t.Errorf("next in %s, note %q", d, store.note())
		}
	})
}

func TestMisconfiguredKeepsTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		p.fail(tokensource.ErrMisconfigured)
		s := open(t, store, p)
		err := wantError(t, s, tokensource.ErrMisconfigured)
		if d := time.Until(err.Next); d != time.Minute || store.note()[0] != "claimed" || p.asked() != 1 {
			t.Errorf("next in %s, note %q", d, store.note())
		}
	})
}

// TestNotSentIsSentAgain: a request that was not sent is repeated within ten seconds; then the claim
// keeps the fleet away for a while.
func TestNotSentIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{}
		p.fail(tokensource.ErrNotSent)
		s := open(t, store, p)
		start := time.Now()
		wantError(t, s, tokensource.ErrNotSent)
		if d := time.Since(start); d > 10*time.Second || p.asked() < 4 {
			t.Errorf("sent %d times in %s", p.asked(), d)
		}
		if _, writes := store.counts(); writes != 1 {
			t.Errorf("%d writes", writes)
		}
		p.fail(nil)
		want(t, s, "access-"+itoa(p.asked()+1)) // It waits for the end of its own claim.
		if d := time.Since(start); d < time.Minute {
			t.Errorf("asked again after %s", d)
		}
	})
}

func itoa(n int) string { return string(rune('0' + n)) }

// TestUnknownOutcome: what may have been received is sent again only if that does no harm.
func TestUnknownOutcome(t *testing.T) {
	for _, c := range []struct {
		name  string
		reuse time.Duration
		sends int
	}{{"once", 0, 1}, {"some seconds", 5 * time.Second, 1}, {"a minute", time.Minute, 2}, {"forever", tokensource.Forever, 2}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, p := newFakeStore(stored(-time.Second)), &provider{}
				p.fail(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
				s := open(t, store, p, tokensource.WithReuse(c.reuse))
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				if _, err := s.Token(ctx, byUser); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Token: %v", err)
				}
				if p.asked() != c.sends {
					t.Errorf("sent %d times, want %d", p.asked(), c.sends)
				}
			})
		})
	}
}

// TestOutage: claims that lead to nothing double, up to half an hour on a store that counts its
// writes, so that a day's outage costs few of them; callers get an error with the next try.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name   string
		perDay int
		most   int
		last   string
	}{{"counted", 96, 56, "1800"}, {"not counted", 0, 725, "120"}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, p := newFakeStore(stored(-time.Second)), &provider{}
				store.perDay = c.perDay
				p.fail(errors.New("an answer that nobody understands"))
				s, other := open(t, store, p), open(t, store, p)
				start := time.Now()
				for time.Since(start) < 24*time.Hour {
					for _, s := range []*tokensource.Source{s, other} {
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
						if _, err := s.Token(ctx, byUser); err == nil {
							t.Fatal("a token during an outage")
						}
						cancel()
					}
					time.Sleep(20 * time.Second)
				}
				if _, writes := store.counts(); writes > c.most || writes < c.most/2 {
					t.Errorf("%d claims in a day, want at most %d", writes, c.most)
				}
				if n := store.note(); n[3] != c.last {
					t.Errorf("note %q", n)
				}
				err := wantError(t, s, tokenstore.ErrUnavailable)
				if c.perDay > 0 && (err.Next.Before(time.Now()) || err.Since.IsZero()) {
					t.Errorf("next %s, since %s", err.Next, err.Since)
				}
			})
		})
	}
}

// TestForeverNeedsNoClaim: while the access token is good and the refresh token stays, a refresh is
// one write, and a failed one leaves a claim that keeps the fleet away.
func TestForeverNeedsNoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(45*time.Second)), &provider{keeps: true}
		s := open(t, store, p, tokensource.WithReuse(tokensource.Forever), tokensource.WithForeground())
		want(t, s, "access-1")
		if _, writes := store.counts(); writes != 1 {
			t.Errorf("%d writes", writes)
		}
		time.Sleep(59*time.Minute + 30*time.Second)
		p.fail(tokensource.ErrMisconfigured)
		other := open(t, store, p, tokensource.WithReuse(tokensource.Forever), tokensource.WithForeground())
		for range 5 {
			want(t, s, "access-1")
			want(t, other, "access-1")
			time.Sleep(time.Second)
		}
		if p.asked() != 2 || store.note()[0] != "claimed" {
			t.Errorf("asked %d times, note %q", p.asked(), store.note())
		}
	})
}

// TestColdHerd: where every write counts, those that meet an expired token at once do not all write.
func TestColdHerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{delay: time.Second}
		store.perDay = 96
		start := time.Now()
		var swaps atomic.Int64
		store.fault = func(_ context.Context, op string) error {
			if op == "swap" {
				swaps.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
		for i := range 64 {
			u := float64(i+1) / 65
			s := open(t, store, p, tokensource.WithRandom(func() float64 { return u }))
			go func() { _, _ = s.Token(t.Context(), byUser) }()
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if swaps.Load() > 4 || p.asked() != 1 {
			t.Errorf("%d swaps and %d redemptions in %s", swaps.Load(), p.asked(), time.Since(start))
		}
	})
}

// TestChance: processes come one after the other. Each draws once for each access token.
func TestChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(time.Hour)), &provider{}
		u := 0.0
		draws := 0
		s := open(t, store, p, tokensource.WithForeground(), tokensource.WithRandom(func() float64 { draws++; return u }))
		u = 0.5
		want(t, s, "access-0")
		// The median of an exponential distribution with a mean of 60 s is 41.6 s.
		time.Sleep(time.Hour - 60*time.Second - 42*time.Second)
		want(t, s, "access-0")
		time.Sleep(time.Second)
		want(t, s, "access-1")
		if draws > 3 {
			t.Errorf("drew %d times", draws)
		}
	})
}

// TestClocksDiffer: an observer whose clock is up to ten minutes ahead does not take over.
func TestClocksDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{9 * time.Minute, 12 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			store, p := newFakeStore(stored(-time.Second)), &provider{delay: 5 * time.Second}
			s := open(t, store, p)
			go func() { _, _ = s.Token(t.Context(), byUser) }()
			time.Sleep(time.Second)
			other := open(t, store, p, tokensource.WithClock(func() time.Time { return time.Now().Add(ahead) }))
			_, _ = other.Token(t.Context(), byUser)
			once := p.asked() == 1
			if once != (ahead < 10*time.Minute) {
				t.Errorf("%s ahead: asked %d times", ahead, p.asked())
			}
		})
	}
}

// TestRefreshTokenIsGone: a row without anything to redeem.
func TestRefreshTokenIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := stored(30 * time.Second)
		row.RefreshToken = ""
		store, p := newFakeStore(row), &provider{}
		s := open(t, store, p)
		want(t, s, "access-0")
		time.Sleep(time.Minute)
		wantError(t, s, tokensource.ErrNeedsConsent)
		if _, writes := store.counts(); p.asked() != 0 || writes != 0 {
			t.Errorf("asked %d times, %d writes", p.asked(), writes)
		}
	})
}

// TestUnknownEnd: a token without an expiry is good until an API refuses it, and is read again every
// hour.
func TestUnknownEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := stored(0)
		row.Expiry = time.Time{}
		store, p := newFakeStore(row), &provider{}
		s := open(t, store, p)
		for range 30 {
			want(t, s, "access-0")
			time.Sleep(10 * time.Minute)
		}
		if reads, writes := store.counts(); reads > 7 || writes != 0 {
			t.Errorf("%d reads, %d writes in five hours", reads, writes)
		}
		token, _ := s.Token(t.Context(), byUser)
		if got, err := s.Renew(t.Context(), token); err != nil || got.AccessToken != "access-1" {
			t.Errorf("Renew: %q, %v", got.AccessToken, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		row := stored(0)
		row.Expiry = time.Time{}
		store := newFakeStore(row)
		s := open(t, store, &provider{})
		want(t, s, "access-0")
		_ = store.DeleteToken(t.Context(), "1")
		time.Sleep(time.Hour)
		wantError(t, s, tokenstore.ErrNotFound)
	})
}

// TestStoreOutOfReach: the access token is good until its end; then nothing is redeemed.
func TestStoreOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(90*time.Second)), &provider{}
		s := open(t, store, p, tokensource.WithRandom(func() float64 { return 0.1 }))
		want(t, s, "access-0")
		store.fault = func(context.Context, string) error {
			return &tokenstore.Error{Store: "fake", Op: "find", Kind: tokenstore.ErrUnavailable}
		}
		time.Sleep(60 * time.Second)
		want(t, s, "access-0")
		time.Sleep(60 * time.Second)
		if _, err := s.Token(t.Context(), byUser); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("Token: %v", err)
		}
		if p.asked() != 0 {
			t.Error("redeemed what could not be saved")
		}
	})
}

// TestShortLives: a token that lives no longer than the margin is not refreshed at each call.
func TestShortLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(-time.Second)), &provider{life: time.Minute}
		s := open(t, store, p, tokensource.WithForeground())
		start := time.Now()
		for time.Since(start) < 10*time.Minute {
			if _, err := s.Token(t.Context(), byUser); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if p.asked() > 15 {
			t.Errorf("%d redemptions in ten minutes", p.asked())
		}
	})
}
