package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// TestLambda freezes a process at the moment its call returns, for most of an hour, again and again.
// With WithForeground nothing is under way then; without it, refreshes are.
func TestLambda(t *testing.T) {
	for _, foreground := range []bool{true, false} {
		t.Run(fmt.Sprint("foreground ", foreground), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, p := newFakeStore(stored(30*time.Second)), &provider{delay: time.Second}
				var calls, cut atomic.Int64 // calls under way, and those that a freeze would have met
				options := []tokensource.Option{}
				if foreground {
					options = append(options, tokensource.WithForeground())
				}
				store.fault = func(context.Context, string) error {
					calls.Add(1)
					defer calls.Add(-1)
					time.Sleep(100 * time.Millisecond)
					return nil
				}
				s := open(t, store, redeemerFunc(func(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
					calls.Add(1)
					defer calls.Add(-1)
					return p.Redeem(ctx, token)
				}), options...)
				for range 200 {
					token, err := s.Token(t.Context(), byUser)
					if err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					cut.Add(min(calls.Load(), 1))
					time.Sleep(max(time.Until(token.Expiry)-30*time.Second, 10*time.Minute))
				}
				if cut.Load() > 0 == foreground || p.asked() < 90 {
					t.Errorf("%d of %d refreshes were under way when a call returned", cut.Load(), p.asked())
				}
			})
		})
	}
}

// TestDay is a day of 64 processes that serve 100 users, with faults, on a store that bears 96 writes
// of a token in a day. With TOKENSTORE_LONG, the rotation goes on for four more: 10,000 refreshes.
func TestDay(t *testing.T) {
	const processes, users = 64, 100
	for _, kind := range []struct {
		name  string
		reuse time.Duration
	}{{"forever", tokensource.Forever}, {"rotation", 0}} {
		t.Run(kind.name, func(t *testing.T) {
			days := 1
			if long && kind.reuse == 0 {
				days = 5
			}
			live(t, processes, shorter(users), days, kind.reuse)
		})
	}
}

func live(t *testing.T, processes, users, days int, reuse time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var rows []tokenstore.OAuthToken
		for i := range users {
			row := stored(time.Duration(i) * time.Hour / time.Duration(users))
			row.ID, row.UserName, row.AccessToken, row.RefreshToken = fmt.Sprint(i), fmt.Sprint("user", i), fmt.Sprint("a", i), fmt.Sprint("r", i)
			rows = append(rows, row)
		}
		store := newDayStore(rows)
		p := newDayProvider(rows, reuse == tokensource.Forever)
		end := time.Now().Add(time.Duration(days) * 24 * time.Hour)
		var errs atomic.Int64
		var sources []*tokensource.Source
		done := make(chan struct{}, processes)
		for i := range processes {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			s, err := tokensource.New(store, p, tokensource.WithReuse(reuse))
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, s)
			go func() {
				defer func() { done <- struct{}{} }()
				for time.Now().Before(end) {
					query := tokenstore.OAuthToken{UserName: fmt.Sprint("user", rnd.IntN(users))}
					token, err := s.Token(context.Background(), query)
					if err != nil && !errors.Is(err, tokensource.ErrNotSaved) {
						errs.Add(1)
						t.Errorf("%s %v", query.UserName, err)
					} else if !p.alive(token.AccessToken) {
						t.Errorf("%s has a dead token", query.UserName)
					}
					time.Sleep(time.Duration(rnd.Int64N(int64(40 * time.Second))))
				}
			}()
		}
		for range processes {
			<-done
		}
		for _, s := range sources {
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		redeemed, most := p.count()
		// A token is refreshed before its end: by the margin, and by the luck of the first of all
		// processes. The ideal counts that too.
		ideal := float64(users*days) * 24 / (1 - p.lead().Hours())
		writes, worst := store.count()
		t.Logf("%d redemptions (ideal %.0f), at most %d in ten minutes of one token; %d writes, at most %d of one token; %d faults", redeemed, ideal, most, writes, worst, store.faults.Load())
		if float64(redeemed) > 1.05*ideal {
			t.Errorf("%d redemptions, ideal %.0f", redeemed, ideal)
		}
		if worst > 96*days {
			t.Errorf("%d writes of one token in %d days", worst, days)
		}
		if most > 10 {
			t.Errorf("%d redemptions of one token in ten minutes", most)
		}
		if store.faults.Load() == 0 {
			t.Error("no fault happened")
		}
	})
}

// naive redeems for one process, which remembers the refresh token that it got.
type naive struct {
	p     *dayProvider
	token tokenstore.OAuthToken
}

func (n *naive) Token() (*oauth2.Token, error) {
	got, err := n.p.Redeem(context.Background(), n.token)
	if err != nil {
		return nil, err
	}
	n.token = got
	return &oauth2.Token{AccessToken: got.AccessToken, Expiry: got.Expiry}, nil
}

// TestWithoutASource shows what the same fleet does with an oauth2.ReuseTokenSource in each process: the
// first process that refreshes spends the refresh token of all others.
func TestWithoutASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := stored(time.Minute)
		p := newDayProvider([]tokenstore.OAuthToken{row}, false)
		var refused int
		for range 64 {
			first := &oauth2.Token{AccessToken: row.AccessToken, Expiry: row.Expiry}
			source := oauth2.ReuseTokenSource(first, &naive{p, row})
			time.Sleep(time.Minute)
			if _, err := source.Token(); errors.Is(err, tokensource.ErrNeedsConsent) {
				refused++
			}
		}
		if refused < 50 {
			t.Errorf("%d of 64 processes were refused", refused)
		}
		t.Logf("%d of 64 processes were refused: the login is revoked", refused)
	})
}
