// Package zoho_test goes the whole way of a user's token, from the login to the logout, on
// each store, with a process of its own for each step.
package zoho_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

const user = "user@example.com:60000000001"

// canary is the client's secret: it must show up nowhere.
const canary = "canary-of-the-client"

// way is a user's way.
type way struct {
	*testing.T
	place
	accounts *accountstest.Server
	log      lockedBuffer // of all processes, and their errors
	secrets  []string     // that were stored at any time
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// process is one with its own store and source. They are closed when do returns.
func (w *way) process(do func(store tokenstore.Store, source *tokensource.Source, log *slog.Logger)) {
	w.Helper()
	store, err := w.open(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	source, err := tokensource.New(store, zoho.Redeemer{HTTP: w.accounts.Client()}, tokensource.WithLogger(log))
	if err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := errors.Join(source.Close(context.WithoutCancel(w.Context())), store.Close()); err != nil {
			w.Error(err)
		}
	}()
	do(store, source, log)
	all, err := store.GetTokens(w.Context())
	if err != nil {
		w.Error(err)
	}
	for _, t := range all {
		log.Info("stored", "token", t)
		w.secrets = append(w.secrets, t.AccessToken, t.RefreshToken, t.GrantToken)
	}
}

// login consents, and has the callback exchange the code.
func (w *way) login() {
	w.Helper()
	w.process(func(store tokenstore.Store, source *tokensource.Source, log *slog.Logger) {
		l := &zoho.Login{
			ClientID: w.accounts.ClientID(), ClientSecret: w.accounts.ClientSecret(), RedirectURL: "https://app.example.com/callback",
			Scopes: zoho.CRMScopes(), Store: store, Source: source, HTTP: w.accounts.Client(), Log: log,
		}
		page, err := url.Parse(l.AuthURL("state"))
		if err != nil {
			w.Fatal(err)
		}
		form := page.Query()
		form.Set("answer", "accept")
		request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, page.String(), strings.NewReader(form.Encode()))
		if err != nil {
			w.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := w.accounts.Client().Transport.RoundTrip(request)
		if err != nil {
			w.Fatal(err)
		}
		_ = response.Body.Close()
		back, err := response.Location()
		if err != nil {
			w.Fatal(err)
		}
		token, err := l.Exchange(w.Context(), back.Query())
		if err != nil || token.UserName != user {
			w.Fatalf("login: %v, %v", token, err)
		}
	})
	w.wantOne()
}

// call makes a call on behalf of the user, in a process that knows nothing yet.
func (w *way) call() (status int, err error) {
	w.Helper()
	w.process(func(_ tokenstore.Store, source *tokensource.Source, _ *slog.Logger) {
		client := http.Client{Transport: &zoho.Transport{
			Source: source, Query: tokenstore.OAuthToken{UserName: user}, Base: w.accounts.Client().Transport,
		}}
		var request *http.Request
		if request, err = http.NewRequestWithContext(w.Context(), http.MethodGet, "/crm/v8/org", nil); err != nil {
			w.Fatal(err)
		}
		var response *http.Response
		if response, err = client.Do(request); err != nil {
			_, _ = fmt.Fprintf(&w.log, "%v %+v\n", err, err)
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		status = response.StatusCode
	})
	return status, err
}

// wantCall checks that a call succeeds, and how many redemptions there have been by then.
func (w *way) wantCall(redemptions int) {
	w.Helper()
	if status, err := w.call(); err != nil || status != http.StatusOK {
		w.Fatalf("call: %d, %v", status, err)
	}
	if got := w.accounts.Counts(); got.Redemptions != redemptions || got.Refused+got.Throttled > 0 {
		w.Errorf("%+v; want %d redemptions", got, redemptions)
	}
}

// stored returns the user's token.
func (w *way) stored() (token tokenstore.OAuthToken) {
	w.Helper()
	w.process(func(store tokenstore.Store, _ *tokensource.Source, _ *slog.Logger) {
		var err error
		if token, err = store.FindToken(w.Context(), tokenstore.OAuthToken{UserName: user}); err != nil {
			w.Fatal(err)
		}
	})
	return token
}

// wantOne checks that one token is stored, which is the user's.
func (w *way) wantOne() {
	w.Helper()
	w.process(func(store tokenstore.Store, _ *tokensource.Source, _ *slog.Logger) {
		all, err := store.GetTokens(w.Context())
		if err != nil || len(all) != 1 || all[0].UserName != user || all[0].APIDomain != zoho.EU.APIDomain() || !w.accounts.Redeemable(all[0].RefreshToken) {
			w.Errorf("stored: %v, %v", all, err)
		}
	})
}

// TestTheWholeWay: login, call, refresh, rotation by hand, revoke, and login again.
func TestTheWholeWay(t *testing.T) {
	for name, at := range places() {
		t.Run(name, func(t *testing.T) {
			config := accountstest.Zoho()
			config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
			config.ClientSecret = canary
			w := &way{T: t, place: at(t), accounts: accountstest.NewServer(config)}
			t.Cleanup(w.accounts.Close)

			w.login()
			w.wantCall(0)

			// The access token ends.
			first := w.stored()
			if err := w.edit(t.Context(), first.ID, "expiry_time", fmt.Sprint(time.Now().Add(-time.Minute).UnixMilli())); err != nil {
				t.Fatal(err)
			}
			w.accounts.EndAccess(first.AccessToken)
			w.wantCall(1)
			second := w.stored()
			if second.RefreshToken != first.RefreshToken || second.ID != first.ID || !w.accounts.Alive(second.AccessToken) {
				t.Errorf("after the refresh: %v", second)
			}

			// A person gets another refresh token, and pastes it. The access token of before is
			// refused, and the new refresh token is used.
			by := w.accounts.Login(accountstest.User{})
			if err := w.edit(t.Context(), first.ID, "refresh_token", by.RefreshToken); err != nil {
				t.Fatal(err)
			}
			w.accounts.EndAccess(second.AccessToken)
			w.wantCall(2)
			if uses := w.accounts.Uses(by.RefreshToken); uses.Redemptions != 1 || w.stored().RefreshToken != by.RefreshToken {
				t.Errorf("the refresh token that was pasted: %+v", uses)
			}

			// Logout.
			third := w.stored()
			w.process(func(store tokenstore.Store, _ *tokensource.Source, _ *slog.Logger) {
				out := zoho.Logout{Store: store, HTTP: w.accounts.Client()}
				if err := out.Token(t.Context(), tokenstore.OAuthToken{UserName: user}); err != nil {
					t.Fatal(err)
				}
			})
			if w.accounts.Redeemable(by.RefreshToken) || w.accounts.Alive(third.AccessToken) {
				t.Error("the token is still valid")
			}
			if _, err := w.call(); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("after the logout: %v", err)
			}

			w.login()
			w.wantCall(2)
			w.wantNoCredential(by.RefreshToken, by.AccessToken)
		})
	}
}

// wantNoCredential checks that the logs of all processes hold no credential.
func (w *way) wantNoCredential(more ...string) {
	w.Helper()
	text := w.log.String()
	for _, part := range []string{"tokensource: redeemed", "tokensource: saved", "stored", "not found"} {
		if !strings.Contains(text, part) {
			w.Errorf("the log has no %q: this test sees nothing", part)
		}
	}
	for _, secret := range append(append(w.secrets, more...), canary) {
		if secret != "" && strings.Contains(text, secret) {
			w.Error("a credential is in the logs")
		}
	}
}
