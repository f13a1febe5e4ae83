// A token source over a store, and the token sources that people use without one.

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

// life is how long access tokens live.
const life = time.Hour

// redeemer gives a new access token each time.
type redeemer struct {
	now func() time.Time
	n   atomic.Int64
}

// Redeem returns another access token.
func (r *redeemer) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{AccessToken: secret("redeemed ", r.n.Add(1)), Expiry: r.now().Add(life)}, nil
}

// sourced puts a token source, as for Zoho, before a keeper's store: a find asks it for a token, and a save for one
// that is about to end.
func sourced(k *keeper) (*keeper, error) {
	r := &redeemer{now: k.clock.Now}
	source, err := tokensource.New(k.store, r, tokensource.WithReuse(tokensource.Forever), tokensource.WithForeground(),
		tokensource.WithClock(k.clock.Now), tokensource.WithSleep(k.clock.Sleep), tokensource.WithRandom(func() float64 { return 0.5 }))
	if err != nil {
		return nil, k.end(err)
	}
	ask := func(ctx context.Context, t tokenstore.OAuthToken) error {
		_, err := source.Token(ctx, tokenstore.OAuthToken{UserName: t.UserName})
		return err
	}
	before := k.close
	k.close = func() error { return errors.Join(source.Close(context.Background()), before()) }
	k.source = true
	k.do = map[operation]action{findUser: ask, save: func(ctx context.Context, t tokenstore.OAuthToken) error {
		redeemed := r.n.Load()
		err := ask(ctx, t)
		if err == nil && r.n.Load() != redeemed+1 {
			err = fmt.Errorf("%d redemptions, want one", r.n.Load()-redeemed)
		}
		return err
	}}
	return k, nil
}

// openReuse is x/oauth2's own token source, which remembers one token in one process.
func openReuse(context.Context, world) (*keeper, error) {
	source := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: secret("reused"), Expiry: time.Now().Add(life)}, nil)
	return &keeper{
		fill: func(context.Context, []tokenstore.OAuthToken) error { return nil },
		do: map[operation]action{fromMemory: func(context.Context, tokenstore.OAuthToken) error {
			_, err := source.Token()
			return err
		}},
	}, nil
}

// openSource is a token source over a store in memory, on the real clock like its neighbour.
func openSource(context.Context, world) (*keeper, error) {
	s := secretstore.NewMemory()
	k := keep(s)
	k.store, k.clock = s, drivertest.NewWallClock()
	fill := k.fill
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		for i := range tokens {
			tokens[i].Expiry = time.Now().Add(life)
		}
		return fill(ctx, tokens)
	}
	k, err := sourced(k)
	if err == nil {
		k.do = map[operation]action{fromMemory: k.do[findUser]}
	}
	return k, err
}
