// Command sharedtable is a Go service beside a program that uses a Zoho CRM SDK: both take
// their tokens from the SDK's own table, and each sees what the other has refreshed. sdk.py
// is such a program. It answers which company a user belongs to:
//
//	GET /company?user=mail:orgid
//
// It trusts its callers: run it behind whatever authenticates them.
//
// The environment:
//
//	TOKEN_STORE   the database with the SDK's table oauthtoken, such as
//	              mysql://127.0.0.1:3306/zohooauth?user=app; sqlite:zohooauth.db by default
//	MYSQL_PWD     the password of MySQL's user
//	LISTEN        the address to listen on, 127.0.0.1:8080 by default
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/tokenstore"
	_ "example.com/tokenstore/sqlstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Print(err)
		os.Exit(1) //nolint:gocritic // Nothing is left to stop.
	}
}

// run serves until the context ends.
func run(ctx context.Context) (err error) {
	store, err := tokenstore.Open(ctx, cmp.Or(os.Getenv("TOKEN_STORE"), "sqlite:zohooauth.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	// Zoho's refresh tokens stay the same, so the SDK and this source may both redeem one.
	source, err := tokensource.New(store, zoho.Redeemer{})
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		err = errors.Join(err, source.Close(ending)) // It saves what was redeemed.
	}()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /company", func(w http.ResponseWriter, r *http.Request) { company(w, r, source) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	log.Print("listening on ", listener.Addr())
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// company passes on what Zoho CRM says about the user's company.
func company(w http.ResponseWriter, r *http.Request, source *tokensource.Source) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "/crm/v8/org", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	response, err := zoho.Client(source, r.FormValue("user")).Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway) // No error holds a credential.
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}
