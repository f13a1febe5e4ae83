package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

// fleet is replicas of the service on one SQLite file, and Zoho.
type fleet struct {
	*testing.T
	accounts *accountstest.Server
	storeURL string
	store    tokenstore.OpenStore // as another process has it
	log      safeBuffer
}

// safeBuffer is a buffer that several goroutines write to.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// newFleet starts Zoho's servers, in the data centre of the EU.
func newFleet(t *testing.T, config accountstest.Config) *fleet {
	t.Helper()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	f := &fleet{T: t, accounts: accountstest.NewServer(config), storeURL: "sqlite://" + filepath.Join(t.TempDir(), "tokens.db")}
	t.Cleanup(f.accounts.Close)
	store, err := tokenstore.Open(t.Context(), f.storeURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f.store = store
	return f
}

// replica is one process of the service.
type replica struct {
	url  string
	stop context.CancelFunc
	done chan error
}

func (f *fleet) start(options ...tokensource.Option) *replica {
	f.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(f.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(f.Context())
	r := &replica{url: "http://" + listener.Addr().String(), stop: stop, done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { r.done <- run(ctx, listener, f.storeURL, f.accounts.Client(), log, options...) }()
	return r
}

// end stops a replica, and waits until it has ended.
func (f *fleet) end(r *replica) {
	f.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		f.Errorf("run: %v", err)
	}
}

// login stores a new token of a user.
func (f *fleet) login(user accountstest.User) tokenstore.OAuthToken {
	f.Helper()
	saved, err := f.store.SaveToken(f.Context(), f.accounts.Login(user))
	if err != nil {
		f.Fatal(err)
	}
	return saved
}

// stored returns the user's token as it is stored now.
func (f *fleet) stored(user string) tokenstore.OAuthToken {
	f.Helper()
	t, err := f.store.FindToken(f.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil {
		f.Fatal(err)
	}
	return t
}

// get gets a page of a replica.
func (r *replica) get(ctx context.Context, path string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// company is the path of a user's company.
func company(user string) string { return "/company?user=" + url.QueryEscape(user) }

const companyReply = `{"company":"An Organization"}` + "\n"

// want gets a page and checks the status and a part of the body.
func (f *fleet) want(r *replica, path string, status int, part string) {
	f.Helper()
	got, body, err := r.get(f.Context(), path)
	if err != nil || got != status || !strings.Contains(body, part) {
		f.Errorf("%s: %d %q, %v; want %d with %q", path, got, body, err, status, part)
	}
}

// TestTheCompanyOfAUser: a token that has expired is refreshed, once, and both replicas
// serve with the new one.
func TestTheCompanyOfAUser(t *testing.T) {
	f := newFleet(t, accountstest.Zoho())
	token := f.login(accountstest.User{})
	f.accounts.EndAccess(token.AccessToken)
	token.Expiry = time.Now().Add(-time.Minute)
	if _, err := f.store.SaveToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	replicas := []*replica{f.start(), f.start()}
	var all sync.WaitGroup
	for _, r := range replicas {
		for range 8 {
			all.Go(func() { f.want(r, company(token.UserName), http.StatusOK, companyReply) })
		}
	}
	all.Wait()
	if got := f.accounts.Counts(); got.Redemptions != 1 || got.Unauthorized != 0 {
		t.Errorf("%+v; want one redemption and no refused call", got)
	}
	_, body, err := replicas[0].get(t.Context(), "/metrics")
	counters := map[string]int{}
	if err != nil || json.Unmarshal([]byte(body), &counters) != nil || counters["requests"] != 8 {
		t.Errorf("metrics: %s, %v", body, err)
	}
	for _, r := range replicas {
		f.end(r)
	}
	for _, secret := range []string{token.RefreshToken, token.AccessToken, token.ClientSecret, f.stored(token.UserName).AccessToken} {
		if strings.Contains(f.log.String(), secret) || strings.Contains(body, secret) {
			t.Error("a credential is in the log or the metrics")
		}
	}
	if !strings.Contains(f.log.String(), "redeemed") {
		t.Error("the log does not show the redemption")
	}
}

// TestWhoHasToLogIn: nobody has logged in, or the consent was withdrawn.
func TestWhoHasToLogIn(t *testing.T) {
	f := newFleet(t, accountstest.Zoho())
	r := f.start()
	defer f.end(r)
	f.want(r, company("nobody@example.com:1"), http.StatusForbidden, "")
	token := f.login(accountstest.User{})
	f.want(r, company(token.UserName), http.StatusOK, companyReply)
	f.accounts.Withdraw(accountstest.User{})
	f.want(r, company(token.UserName), http.StatusForbidden, "") // Its access token is in memory.
	if _, err := f.store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: token.ID, Expiry: time.Now().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	other := f.start() // which has nothing in memory
	defer f.end(other)
	f.want(other, company(token.UserName), http.StatusForbidden, "")
	if got := f.stored(token.UserName); got.RefreshToken != token.RefreshToken {
		t.Error("a refusal has changed the token")
	}
}

func TestReadiness(t *testing.T) {
	f := newFleet(t, accountstest.Zoho())
	r := f.start()
	defer f.end(r)
	f.want(r, "/readyz", http.StatusOK, "") // Although nobody has logged in.
	f.want(r, "/livez", http.StatusOK, "")
	f.login(accountstest.User{})
	f.want(r, "/readyz", http.StatusOK, "")

	store, err := tokenstore.Open(t.Context(), f.storeURL)
	if err != nil {
		t.Fatal(err)
	}
	s := newService(store, http.DefaultClient)
	ask := func() int {
		w := httptest.NewRecorder()
		s.ready(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return w.Code
	}
	if got := ask(); got != http.StatusOK {
		t.Errorf("ready: %d", got)
	}
	s.stopping.Store(true)
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("stopping: %d", got)
	}
	s.stopping.Store(false)
	_ = store.Close()
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("with a store that does not answer: %d", got)
	}
}

// TestShutdown stops a replica in the middle of a refresh: the request is answered, and the
// token is saved.
func TestShutdown(t *testing.T) {
	f := newFleet(t, accountstest.Zoho())
	token := f.login(accountstest.User{})
	if _, err := f.store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: token.ID, Expiry: time.Now().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	redeemed, carryOn := make(chan struct{}), make(chan struct{})
	f.accounts.After(func(accountstest.Request) { close(redeemed); <-carryOn })
	r := f.start()
	var asked sync.WaitGroup
	asked.Go(func() { f.want(r, company(token.UserName), http.StatusOK, companyReply) })
	<-redeemed
	r.stop()
	time.AfterFunc(100*time.Millisecond, func() { close(carryOn) })
	f.end(r)
	asked.Wait()
	if got := f.stored(token.UserName); got.AccessToken == token.AccessToken || !f.accounts.Alive(got.AccessToken) {
		t.Error("the token that was redeemed is not stored")
	}
	if _, _, err := r.get(t.Context(), "/livez"); err == nil {
		t.Error("a replica that has ended answers")
	}
}

// TestMistakes: what an operator can set wrongly stops the program, with an error.
func TestMistakes(t *testing.T) {
	t.Setenv("LISTEN", "127.0.0.1:0")
	for _, at := range []string{"", "unknown:", "sqlite:" + t.TempDir()} {
		t.Setenv("TOKEN_STORE", at)
		if err := start(t.Context()); err == nil {
			t.Errorf("TOKEN_STORE=%s can be opened", at)
		}
	}
	t.Setenv("LISTEN", "nowhere")
	if err := start(t.Context()); err == nil {
		t.Error("LISTEN=nowhere can be listened on")
	}
}

// users are people who can log in.
func users(n int) []accountstest.User {
	all := make([]accountstest.User, n)
	for i := range all {
		all[i] = accountstest.User{Email: fmt.Sprintf("user%d@example.com", i), Name: "A User", Org: "60000000001"}
	}
	return all
}
