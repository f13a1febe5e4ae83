package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

const (
	user   = "user@example.com:60000000001"
	event  = `{"user":"` + user + `"}`
	answer = `{"company":"An Organization"}`
)

// world is a function, Zoho, and another process on the same fake of Secrets Manager, which
// has saved the user's token.
type world struct {
	*function
	accounts *accountstest.Server
	service  *awssmtest.Service
	other    tokenstore.Store
	token    tokenstore.OAuthToken
}

func newWorld(t *testing.T) *world {
	t.Helper()
	config := accountstest.Zoho()
	config.Location, config.AccountsServer, config.APIDomain = string(zoho.EU), zoho.EU.AccountsURL(), zoho.EU.APIDomain()
	w := &world{accounts: accountstest.NewServer(config), service: awssmtest.New(awssmtest.Real(), awssmtest.NewClock())}
	t.Cleanup(w.accounts.Close)
	var stores [2]tokenstore.Store
	for i := range stores {
		store, err := awssm.New(w.service.Client(), awssm.WithPrefix("crm/"))
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = store
	}
	var err error
	if w.function, err = newFunctionOn(stores[0], w.accounts.Client()); err != nil {
		t.Fatal(err)
	}
	w.other = stores[1]
	w.token = w.save(t, w.accounts.Login(accountstest.User{}))
	return w
}

func (w *world) save(t *testing.T, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := w.other.SaveToken(t.Context(), token)
	if err != nil {
		t.Error(err)
	}
	return saved
}

// expire ends the access token.
func (w *world) expire(t *testing.T) {
	t.Helper()
	w.accounts.EndAccess(w.token.AccessToken)
	w.save(t, tokenstore.OAuthToken{ID: w.token.ID, Expiry: time.Now().Add(-time.Minute)})
}

// invoke calls the function as the runtime does, with a JSON event.
func (w *world) invoke(t *testing.T, event string) (string, error) {
	t.Helper()
	out, err := lambda.NewHandler(w.handle).Invoke(t.Context(), []byte(event))
	return string(out), err
}

func (w *world) want(t *testing.T) {
	t.Helper()
	if out, err := w.invoke(t, event); err != nil || out != answer {
		t.Errorf("the answer is %s, %v", out, err)
	}
}

func TestTheCompanyOfAUser(t *testing.T) {
	w := newWorld(t)
	w.want(t)
	before := w.service.Calls()
	w.want(t) // The source serves every call of the same environment.
	if got := w.accounts.Counts(); got.Calls != 2 || got.Requests != 0 {
		t.Errorf("%+v", got)
	}
	if after := w.service.Calls(); !maps.Equal(before, after) {
		t.Errorf("calls of Secrets Manager: %v, then %v", before, after)
	}
}

// TestReplacedToken has another process replace the access token after the function has read
// it.
func TestReplacedToken(t *testing.T) {
	w := newWorld(t)
	w.want(t)
	renewed, err := zoho.Redeemer{HTTP: w.accounts.Client()}.Redeem(t.Context(), w.token)
	if err != nil {
		t.Fatal(err)
	}
	renewed.ID = w.token.ID
	w.save(t, renewed)
	w.accounts.EndAccess(w.token.AccessToken)
	w.want(t)
	if got := w.accounts.Counts(); got.Redemptions != 1 {
		t.Errorf("%+v; the other process's token should be used", got)
	}
}

// TestExpiredToken: the event that meets it waits for the refresh, and its save.
func TestExpiredToken(t *testing.T) {
	w := newWorld(t)
	w.expire(t)
	w.want(t)
	stored, err := w.other.FindToken(t.Context(), tokenstore.OAuthToken{UserName: user})
	if err != nil || !w.accounts.Alive(stored.AccessToken) {
		t.Errorf("the stored access token is not a new one that works: %v", err)
	}
	if got := w.accounts.Counts(); got.Redemptions != 1 || got.Unauthorized != 0 {
		t.Errorf("%+v", got)
	}
}

// TestWithdrawnConsent: nobody but the user can help.
func TestWithdrawnConsent(t *testing.T) {
	w := newWorld(t)
	w.accounts.Withdraw(accountstest.User{})
	w.expire(t)
	for range 2 {
		if _, err := w.handle(t.Context(), request{User: user}); !errors.Is(err, tokensource.ErrNeedsConsent) {
			t.Errorf("the error is %v", err)
		}
	}
	if got := w.accounts.Counts(); got.Requests != 1 {
		t.Errorf("%+v; asking again does not help", got)
	}
}

func TestUnknownUser(t *testing.T) {
	w := newWorld(t)
	if _, err := w.handle(t.Context(), request{User: "nobody@example.com:1"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the error is %v", err)
	}
	if _, err := w.handle(t.Context(), request{}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("without a user the error is %v", err)
	}
	if got := w.accounts.Counts(); got.Calls+got.Unauthorized+got.Requests != 0 {
		t.Errorf("%+v", got)
	}
}

// TestErrorsHoldNoCredential checks what the runtime would log and return.
func TestErrorsHoldNoCredential(t *testing.T) {
	w := newWorld(t)
	w.accounts.Withdraw(accountstest.User{})
	w.expire(t)
	_, err := w.invoke(t, event)
	text, _ := json.Marshal(fmt.Sprintf("%v %+v", err, err))
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{w.token.RefreshToken, w.token.AccessToken, w.token.ClientSecret + `"`} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the error is %s", text)
		}
	}
}

func TestNewFunction(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("TOKEN_PREFIX", "crm/")
	if f, err := newFunction(t.Context()); err != nil || f.source == nil {
		t.Errorf("the function cannot be made: %v", err)
	}
	t.Setenv("TOKEN_PREFIX", "crm//")
	if _, err := newFunction(t.Context()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a prefix that cannot be used gives %v", err)
	}
	t.Setenv("TOKEN_PREFIX", "")
	if _, err := newFunction(t.Context()); err == nil {
		t.Error("no prefix gives no error")
	}
}
