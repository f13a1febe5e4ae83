// When to refresh a token, and how to do it safely next to other replicas.

package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"example.com/tokenstore"
)

const (
	// interval is the time between two checks of all tokens, after which a failed refresh is
	// also retried. Cloud services charge for each check; see the costs in docs/aws.md and
	// docs/gcp.md.
	interval = 5 * time.Minute
	// early and spread set how long before its expiry a token is due: early, plus a part of
	// spread that differs between the replicas, so that usually one of them refreshes and the
	// others find it done.
	early  = 10 * time.Minute
	spread = 10 * time.Minute
)

// redeemer turns a refresh token into an access token.
type redeemer interface {
	redeem(ctx context.Context, token tokenstore.OAuthToken) (access string, expiry time.Time, err error)
}

// refresher refreshes the tokens of a store.
type refresher struct {
	store    tokenstore.Store
	accounts redeemer
	now      func() time.Time
	before   time.Duration // how long before its expiry a token is due
}

func newRefresher(store tokenstore.Store, accounts redeemer) *refresher {
	// #nosec G404 -- only jitter
	return &refresher{store: store, accounts: accounts, now: time.Now, before: early + rand.N(spread)}
}

// run refreshes until the context ends, and returns its error.
func (r *refresher) run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		r.refreshAll(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// refreshAll refreshes the tokens that are due. A failure waits for the next time; a token
// that is printed or logged shows no credential.
func (r *refresher) refreshAll(ctx context.Context) {
	tokens, err := r.store.GetTokens(ctx)
	if err != nil { // The tokens that could be read are returned with the error.
		slog.ErrorContext(ctx, "some tokens cannot be read; run tokenstore check", "error", err)
	}
	for _, token := range tokens {
		if !r.due(token) {
			continue
		}
		if err := r.refresh(ctx, token.ID); err != nil {
			slog.ErrorContext(ctx, "refresh failed; retrying at the next check", "token", token, "error", err, "retryable", tokenstore.Retryable(err))
		}
	}
}

// due reports whether a token has to be refreshed.
func (r *refresher) due(token tokenstore.OAuthToken) bool {
	return token.RefreshToken != "" && r.now().Add(r.before).After(token.Expiry)
}

// refresh checks whether a token is still due, redeems another access token, and saves it.
// A save inserts a missing token: one that is deleted in between would come back as an
// access token alone, and is deleted again.
func (r *refresher) refresh(ctx context.Context, id string) error {
	token, err := r.store.FindTokenByID(ctx, id)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil // It was deleted after the list was read.
	case err != nil:
		return err
	case !r.due(token):
		return nil // Another replica was faster.
	}
	access, expiry, err := r.accounts.redeem(ctx, token)
	if err != nil {
		return err
	}
	saved, err := r.store.SaveToken(ctx, tokenstore.OAuthToken{ID: id, AccessToken: access, Expiry: expiry})
	if err == nil && saved.RefreshToken == "" {
		err = r.store.DeleteToken(ctx, id)
	}
	return err
}
