// Command weblogin is a web page with "Log in with Zoho". The user consents at Zoho, the
// token goes into the store, and from then on the page shows the user's company, from
// Zoho CRM. Run it, and open the page:
//
//	ZOHO_CLIENT_ID=… ZOHO_CLIENT_SECRET=… go run ./weblogin
//
// The environment:
//
//	ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET   the client, of type "server-based application"
//	ZOHO_DATA_CENTER                     where it was registered, such as eu; us by default
//	BASE_URL                             this page, http://localhost:8080 by default; the client's
//	                                     redirect URL is that with /callback behind it
//	TOKEN_STORE                          the store's URL, sqlite:tokens.db by default
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	_ "example.com/tokenstore/sqlstore"
	"example.com/tokenstore/tokensource"
	_ "example.com/tokenstore/vault"
	"example.com/tokenstore/zoho"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:8080")
	if err == nil {
		err = run(ctx, listener, http.DefaultClient)
	}
	if err != nil {
		log.Print(err)
		os.Exit(1) //nolint:gocritic // Nothing is left to stop.
	}
}

// run serves the page until the context ends. client reaches Zoho.
func run(ctx context.Context, listener net.Listener, client *http.Client) (err error) {
	defer func() { _ = listener.Close() }()
	id, secret := os.Getenv("ZOHO_CLIENT_ID"), os.Getenv("ZOHO_CLIENT_SECRET")
	if id == "" || secret == "" {
		return errors.New("set ZOHO_CLIENT_ID and ZOHO_CLIENT_SECRET; https://api-console.zoho.com shows them")
	}
	registered, err := zoho.ByLocation(cmp.Or(os.Getenv("ZOHO_DATA_CENTER"), string(zoho.US)))
	if err != nil {
		return fmt.Errorf("ZOHO_DATA_CENTER: %w; it is one of %v", err, zoho.DataCenters())
	}
	store, err := tokenstore.Open(ctx, cmp.Or(os.Getenv("TOKEN_STORE"), "sqlite:tokens.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	source, err := tokensource.New(store, zoho.Redeemer{HTTP: client})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close(context.WithoutCancel(ctx))) }()

	a := &app{source: source, client: client, logout: zoho.Logout{Store: store, HTTP: client}, login: &zoho.Login{
		ClientID: id, ClientSecret: secret, DataCenter: registered,
		RedirectURL: cmp.Or(os.Getenv("BASE_URL"), "http://localhost:8080") + "/callback",
		Scopes:      zoho.CRMScopes(), Store: store, Source: source, HTTP: client,
	}}
	server := &http.Server{Handler: a.routes(), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type app struct {
	source   *tokensource.Source
	client   *http.Client
	login    *zoho.Login
	logout   zoho.Logout
	sessions sync.Map // from the value of a browser's cookie to its user's name
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login.Start)
	mux.Handle("GET /callback", a.login.Callback(a.loggedIn))
	mux.HandleFunc("POST /logout", a.loggedOut)
	return mux
}

// loggedIn begins the session of a user whose token is stored.
func (a *app) loggedIn(w http.ResponseWriter, r *http.Request, token tokenstore.OAuthToken, err error) {
	if err != nil {
		http.Error(w, "You are not logged in: "+err.Error(), http.StatusForbidden) // It holds no credential.
		return
	}
	session := rand.Text()
	a.sessions.Store(session, token.UserName)
	a.setCookie(w, session)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// user returns whose session it is, or "".
func (a *app) user(r *http.Request) string {
	cookie, err := r.Cookie("session")
	if err != nil {
		return ""
	}
	user, _ := a.sessions.Load(cookie.Value)
	name, _ := user.(string)
	return name
}
