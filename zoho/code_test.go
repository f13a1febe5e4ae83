// What a code is worth: a token, once.

package zoho_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/zoho"
)

// TestSpentCodeLogsNobodyIn: a code stays in histories and logs, and whoever finds it there
// can put it into a callback of their own. It gives no token and changes none.
func TestSpentCodeLogsNobodyIn(t *testing.T) {
	w := newWorld(t, nil)
	callback := w.consent(t, w.login.AuthURL("state"), userA, "accept")
	token, err := w.login.Exchange(t.Context(), callback)
	must(t, err)
	for name, change := range map[string]url.Values{
		"as it was":             {},
		"of another place":      {"location": {"in"}, "accounts-server": {zoho.IN.AccountsURL()}},
		"of no place":           {"location": {""}, "accounts-server": {""}},
		"with another's secret": {"location": {"us"}, "accounts-server": {zoho.US.AccountsURL()}},
	} {
		w.login.Secrets = map[zoho.DataCenter]string{zoho.US: "the secret in the US"}
		forged := url.Values{}
		for k, v := range callback {
			forged[k] = v
		}
		for k, v := range change {
			forged[k] = v
		}
		got, err := w.login.Exchange(t.Context(), forged)
		if !errors.Is(err, zoho.ErrCallback) || got != (tokenstore.OAuthToken{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if all := w.tokens(t); len(all) != 1 || all[0] != token || w.server.Counts().Requests != 1 {
		t.Errorf("the stored token was changed, or another one stored: %d rows", len(all))
	}
}

// TestUnfinishedLoginEnds: a code whose token got no user can complete the login, but not
// for ever.
func TestUnfinishedLoginEnds(t *testing.T) {
	w := newWorld(t, nil)
	callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	w.login.UserName = func(context.Context, tokenstore.OAuthToken) (string, error) { return "", errors.New("down") }
	if _, err := w.login.Exchange(t.Context(), callback); err == nil {
		t.Fatal("a token without a user")
	}
	row := w.tokens(t)[0]
	row.Expiry = time.Now().Add(-time.Second)
	_, err := w.store.SaveToken(t.Context(), row)
	must(t, err)
	w.login.UserName = nil
	if _, err := w.login.Exchange(t.Context(), callback); !errors.Is(err, zoho.ErrCallback) || w.server.Counts().Requests != 1 {
		t.Errorf("an hour later: %v", err)
	}
}

// TestFleetRedeemsACodeOnce: a load balancer that repeats a callback gives it to several
// processes.
func TestFleetRedeemsACodeOnce(t *testing.T) {
	w := newWorld(t, nil)
	// The first time the row of the grant becomes the user's, and then it goes.
	for redemptions := 1; redemptions <= 2; redemptions++ {
		callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
		var group sync.WaitGroup
		var logins atomic.Int32
		for range 8 {
			login := w.newLogin(w.newSource(t))
			login.Log = nil
			group.Go(func() {
				token, err := login.Exchange(t.Context(), callback)
				switch {
				case err == nil && token.UserName == userA:
					logins.Add(1)
				case !errors.Is(err, zoho.ErrCallback): // It came after the end of the login.
					t.Errorf("%q, %v", token.UserName, err)
				}
			})
		}
		group.Wait()
		if n := w.server.Counts().Requests; n != redemptions || logins.Load() == 0 {
			t.Errorf("%d requests to redeem %d codes; %d logins", n, redemptions, logins.Load())
		}
		if all := w.tokens(t); len(all) != 1 || all[0].UserName != userA {
			t.Errorf("%d rows", len(all))
		}
	}
}

// TestRowOfTheGrantGoesMeanwhile: another process got the same callback of a user who
// returns, and has completed the login in between.
func TestRowOfTheGrantGoesMeanwhile(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.login.Exchange(t.Context(), w.consent(t, w.login.AuthURL("s"), userA, "accept"))
	must(t, err)
	callback := w.consent(t, w.login.AuthURL("s"), userA, "accept")
	slow := w.newLogin(w.newSource(t))
	slow.Store = &afterSave{Store: w.store, do: func() {
		_, err := w.login.Exchange(t.Context(), callback)
		must(t, err)
	}}
	if token, err := slow.Exchange(t.Context(), callback); err != nil || token.UserName != userA || len(w.tokens(t)) != 1 {
		t.Errorf("%v, %v; %d rows", token, err, len(w.tokens(t)))
	}
}

// afterSave does something once, after the first save.
type afterSave struct {
	tokenstore.Store
	do func()
}

func (s *afterSave) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	saved, err := s.Store.SaveToken(ctx, token)
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return saved, err
}
