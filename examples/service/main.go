// Command service answers which company a Zoho user belongs to. It shows how a service uses
// the library: tokens come from a store that all replicas share, and package tokensource
// keeps them valid. Any number of replicas can run, anywhere, since they keep no state
// outside the store.
//
//	GET /company?user=mail:orgid   the company's name, from Zoho CRM
//	GET /livez, /readyz            for probes; readyz asks the store
//	GET /metrics                   counters, as JSON
//
// It trusts its callers: run it behind whatever authenticates them.
//
// The environment:
//
//	TOKEN_STORE   the store's URL, such as awssm://crm?region=eu-west-1, vault://secret/crm
//	              or sqlite:tokens.db
//	LISTEN        the address to listen on, 127.0.0.1:8080 by default
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	_ "example.com/tokenstore/sqlstore"
	"example.com/tokenstore/tokensource"
	_ "example.com/tokenstore/vault"
	"example.com/tokenstore/zoho"
)

// grace is how long a replica that is stopped may take for what it has begun: the requests
// it is serving, and then the refreshes.
const grace = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1) //nolint:gocritic // Nothing is left to stop.
	}
}

func start(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	return run(ctx, listener, os.Getenv("TOKEN_STORE"), &http.Client{Timeout: 15 * time.Second}, slog.Default())
}

// run serves until the context ends, and then completes what has begun: an access token
// that was redeemed is saved before run returns. client reaches Zoho.
func run(ctx context.Context, listener net.Listener, storeURL string, client *http.Client, log *slog.Logger, options ...tokensource.Option) (err error) {
	defer func() { _ = listener.Close() }()
	store, err := tokenstore.Open(ctx, storeURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	s := newService(store, client)
	// Zoho takes a refresh token any number of times, but allows ten redemptions in ten
	// minutes. With a bound in place of tokensource.Forever, a replica claims a token
	// before it redeems it, always: one more write, and never two redemptions at once.
	options = append(options, tokensource.WithReuse(24*time.Hour), tokensource.WithObserver(s.count), tokensource.WithLogger(log))
	s.source, err = tokensource.New(store, zoho.Redeemer{HTTP: client}, options...)
	if err != nil {
		return err
	}

	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served: // It cannot serve.
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err = errors.Join(err, server.Shutdown(ending))
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, s.source.Close(closing))
}
