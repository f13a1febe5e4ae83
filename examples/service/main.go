// Command service keeps the access tokens of a store fresh: shortly before one expires
// it redeems the refresh token for another, and saves it. The rest of the fleet only
// reads. It can run as one container or several, anywhere, since it keeps no state
// outside the store.
//
// Several need no lock and no leader. Each reads the token again right before it redeems
// it, and each considers a token due at a different time. If two still redeem one at the
// same time, both access tokens are valid, the later save wins, and neither save loses a
// field. A refresh only saves the fields that it has changed, so a refresh token that a
// person rotates at the same time is kept.
//
// The environment:
//
//	TOKEN_STORE    the store's URL, such as awssm://crm?region=eu-west-1
//	               or vault://secret/crm
//	ACCOUNTS_URL   Zoho's accounts server, https://accounts.zoho.com by default
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	_ "example.com/tokenstore/vault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		slog.Error("stopped", "error", err)
		os.Exit(1) //nolint:gocritic // Nothing is left to stop.
	}
}

func run(ctx context.Context) error {
	store, err := tokenstore.Open(ctx, os.Getenv("TOKEN_STORE"))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	r := newRefresher(store, &accounts{
		url:    cmp.Or(os.Getenv("ACCOUNTS_URL"), "https://accounts.zoho.com"),
		client: &http.Client{Timeout: 30 * time.Second},
	})
	return r.run(ctx)
}
