// What a fleet does at a provider, or before an API, that refuses whatever it gets.

package tokensource_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// TestRenewStorm: an API refuses every token, as it does where a scope is missing. A token that
// the fleet has got less than a minute ago is not renewed, whichever process has got it.
func TestRenewStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := newFakeStore(stored(30*time.Minute)), &provider{keeps: true, delay: 300 * time.Millisecond}
		var wg sync.WaitGroup
		for i := range 32 {
			s := open(t, store, p, tokensource.WithReuse(tokensource.Forever))
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / 32)
				for range 3 * 60 {
					token, err := s.Token(t.Context(), byUser)
					if err == nil {
						_, err = s.Renew(t.Context(), token)
					}
					if err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		if p.asked() > 9 {
			t.Errorf("%d redemptions in three minutes", p.asked())
		}
	})
}

// TestEndedWhenItComes: if a clock or a provider's answer is so wrong that every new access token
// has already ended, not every call redeems, even if an API refuses the token.
func TestEndedWhenItComes(t *testing.T) {
	for _, life := range []time.Duration{-2 * time.Hour, 0, time.Millisecond} {
		for _, option := range []tokensource.Option{tokensource.WithReuse(0), tokensource.WithoutCoordination()} {
			for _, refuses := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { endedWhenItComes(t, life, option, refuses) })
			}
		}
	}
}

func endedWhenItComes(t *testing.T, life time.Duration, option tokensource.Option, refuses bool) {
	n := 0
	store := newFakeStore(stored(-time.Second))
	s := open(t, store, redeemerFunc(func(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
		n++
		return tokenstore.OAuthToken{AccessToken: fmt.Sprint("access-", n), Expiry: time.Now().Add(life)}, nil
	}), option)
	for range 10 * 60 {
		token, err := s.Token(t.Context(), byUser)
		if err == nil && refuses {
			_, err = s.Renew(t.Context(), token)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	if n > 11 {
		t.Errorf("lives %s, refused: %t: %d redemptions in ten minutes", life, refuses, n)
	}
}
