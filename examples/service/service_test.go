package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
)

const fakeRefresh = "1000.fake.refresh"

// server is an accounts server that numbers the access tokens it gives.
type server struct {
	given  atomic.Int64
	refuse bool
	before func() // called before each answer
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before != nil {
		s.before()
	}
	switch {
	case r.URL.Path != "/oauth/v2/token" || r.Method != http.MethodPost:
		w.WriteHeader(http.StatusNotFound)
	case s.refuse || r.FormValue("grant_type") != "refresh_token" || r.FormValue("refresh_token") != fakeRefresh || r.FormValue("client_id") != "c" || r.FormValue("client_secret") != "s":
		_, _ = fmt.Fprint(w, `{"error":"invalid_code"}`)
	default:
		_, _ = fmt.Fprintf(w, `{"access_token":"1000.fake.access.%d","expires_in":3600,"api_domain":"https://www.zohoapis.com","token_type":"Bearer"}`, s.given.Add(1))
	}
}

// fleet is a fake of Secrets Manager, replicas of the service on it, and the
// accounts server that they ask.
type fleet struct {
	server
	replicas []*refresher
}

func newFleet(t *testing.T, replicas int) *fleet {
	t.Helper()
	f := &fleet{}
	web := httptest.NewServer(&f.server)
	t.Cleanup(web.Close)
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	for range replicas {
		store, err := awssm.New(service.Client(), awssm.WithClock(clock.Now, clock.Sleep))
		if err != nil {
			t.Fatal(err)
		}
		f.replicas = append(f.replicas, newRefresher(store, &accounts{web.URL, web.Client()}))
	}
	return f
}

// save saves a token that expires after the given time.
func (f *fleet) save(t *testing.T, user string, after time.Duration) tokenstore.OAuthToken {
	t.Helper()
	saved, err := f.replicas[0].store.SaveToken(t.Context(), tokenstore.OAuthToken{
		UserName: user, ClientID: "c", ClientSecret: "s", RefreshToken: fakeRefresh, AccessToken: "1000.fake.old." + user, Expiry: time.Now().Add(after),
	})
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// stored returns what the last replica finds.
func (f *fleet) stored(t *testing.T, user string) tokenstore.OAuthToken {
	t.Helper()
	token, err := f.replicas[len(f.replicas)-1].store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestOnlyWhatIsDueIsRefreshed(t *testing.T) {
	f := newFleet(t, 2)
	f.save(t, "due", early)
	f.save(t, "fresh", early+spread+time.Hour)
	for _, r := range f.replicas { // The second replica finds it done.
		r.refreshAll(t.Context())
	}
	if n := f.given.Load(); n != 1 {
		t.Errorf("%d tokens were redeemed", n)
	}
	if got := f.stored(t, "due"); got.AccessToken != "1000.fake.access.1" || time.Until(got.Expiry) < 59*time.Minute || got.RefreshToken != fakeRefresh {
		t.Errorf("the token that was due is now %v and expires %v", got, got.Expiry)
	}
	if got := f.stored(t, "fresh"); got.AccessToken != "1000.fake.old.fresh" {
		t.Errorf("the token that was fresh is now %v", got)
	}
}

// TestReplicasAtOnce lets all replicas redeem one token at the same time: exactly one of the
// access tokens is stored.
func TestReplicasAtOnce(t *testing.T) {
	const replicas = 4
	f := newFleet(t, replicas)
	saved := f.save(t, "due", 0)
	var asked, done sync.WaitGroup
	asked.Add(replicas)
	f.before = func() { asked.Done(); asked.Wait() }
	for _, r := range f.replicas {
		done.Go(func() {
			if err := r.refresh(t.Context(), saved.ID); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	got := f.stored(t, "due")
	if f.given.Load() != replicas || !strings.HasPrefix(got.AccessToken, "1000.fake.access.") || time.Until(got.Expiry) < 59*time.Minute {
		t.Errorf("after %d refreshes the token is %v and expires %v", f.given.Load(), got, got.Expiry)
	}
	if all, err := f.replicas[0].store.GetTokens(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d tokens are stored (%v)", len(all), err)
	}
}

// TestRotatedMeanwhile rotates the refresh token while an access token is redeemed with the
// old one.
func TestRotatedMeanwhile(t *testing.T) {
	f := newFleet(t, 2)
	saved := f.save(t, "due", 0)
	f.before = func() {
		if _, err := f.replicas[1].store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: saved.ID, RefreshToken: "1000.fake.rotated"}); err != nil {
			t.Error(err)
		}
	}
	f.replicas[0].refreshAll(t.Context())
	if got := f.stored(t, "due"); got.RefreshToken != "1000.fake.rotated" || got.AccessToken != "1000.fake.access.1" {
		t.Errorf("the token is %v", got)
	}
}

// TestDeletedMeanwhile deletes the token while an access token is redeemed.
func TestDeletedMeanwhile(t *testing.T) {
	f := newFleet(t, 2)
	saved := f.save(t, "due", 0)
	f.before = func() {
		if err := f.replicas[1].store.DeleteToken(t.Context(), saved.ID); err != nil {
			t.Error(err)
		}
	}
	if err := f.replicas[0].refresh(t.Context(), saved.ID); err != nil {
		t.Error(err)
	}
	if all, err := f.replicas[1].store.GetTokens(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d tokens are stored (%v)", len(all), err)
	}
}

func TestRefusal(t *testing.T) {
	f := newFleet(t, 1)
	saved := f.save(t, "due", 0)
	f.refuse = true
	err := f.replicas[0].refresh(t.Context(), saved.ID)
	if !errors.Is(err, errRefused) || strings.Contains(err.Error(), "1000.") {
		t.Errorf("a refusal gives %v", err)
	}
	if got := f.stored(t, "due"); got != saved {
		t.Errorf("after a refusal the token is %v", got)
	}
	if err := f.replicas[0].refresh(t.Context(), "unknown"); err != nil {
		t.Errorf("a token that was deleted gives %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	f := newFleet(t, 1)
	f.save(t, "due", 0)
	ctx, cancel := context.WithCancel(t.Context())
	f.before = cancel
	if err := f.replicas[0].run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("run returns %v", err)
	}
	t.Setenv("TOKEN_STORE", "unknown:")
	if err := run(t.Context()); err == nil {
		t.Error("a store that nobody knows can be opened")
	}
}
