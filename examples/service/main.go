// Command service keeps the access tokens of a store fresh: shortly before one
// expires it redeems another with the refresh token, and saves it. Everything
// else in the fleet only reads. It runs as one container or as several, in any
// place, since nothing of it is kept outside the store.
//
// Several need no lock and no leader. Each looks into the store again right
// before it redeems; each has its own moment at which it finds a token due; and
// if two redeem one at the same time all the same, both access tokens are good,
// the save that comes later stands, and no field of either save is lost. What a
// refresh saves is what it has changed, so that a refresh token which a person
// rotates at that moment stays.
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
		os.Exit(1) //nolint:gocritic // There is nothing left to stop.
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
