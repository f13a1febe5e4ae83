package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
)

const user = "ada@example.com:1234"

// crm accepts one access token, and counts the requests.
type crm struct {
	accepts string
	asked   int
	before  func() // called before each answer
}

func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked++
	c.before()
	switch {
	case r.URL.Path != "/crm/v8/org":
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Authorization") != "Zoho-oauthtoken "+c.accepts:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"code":"INVALID_TOKEN"}`)
	default:
		_, _ = fmt.Fprint(w, `{"org":[{"company_name":"Zylker"}]}`)
	}
}

// world is a function, the CRM that it queries, and another process on the same fake of
// Secrets Manager, which has saved the user's token.
type world struct {
	*function
	*crm
	other tokenstore.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	var stores [2]tokenstore.Store
	for i := range stores {
		store, err := awssm.New(service.Client(), awssm.WithClock(clock.Now, clock.Sleep))
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = store
	}
	c := &crm{accepts: "1000.fake.first", before: func() {}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	w := &world{&function{store: stores[0], crm: server.Client()}, c, stores[1]}
	w.save(t, tokenstore.OAuthToken{UserName: user, RefreshToken: "1000.fake.refresh", AccessToken: "1000.fake.first", APIDomain: server.URL})
	return w
}

func (w *world) save(t *testing.T, token tokenstore.OAuthToken) {
	t.Helper()
	if _, err := w.other.SaveToken(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// invoke calls the function as the runtime does, with a JSON event.
func (w *world) invoke(t *testing.T, event string) (string, error) {
	t.Helper()
	out, err := lambda.NewHandler(w.handle).Invoke(t.Context(), []byte(event))
	return string(out), err
}

func TestTheCompanyOfAUser(t *testing.T) {
	w := newWorld(t)
	for range 2 { // The store serves every call of the same environment.
		if out, err := w.invoke(t, `{"user":"`+user+`"}`); err != nil || out != `{"company":"Zylker"}` {
			t.Errorf("the answer is %s, %v", out, err)
		}
	}
	if w.asked != 2 {
		t.Errorf("the CRM was asked %d times", w.asked)
	}
}

// TestReplacedToken has another process replace the access token after the function has read
// it.
func TestReplacedToken(t *testing.T) {
	w := newWorld(t)
	w.accepts = "1000.fake.second"
	w.before = func() { w.save(t, tokenstore.OAuthToken{UserName: user, AccessToken: w.accepts}) }
	if out, err := w.invoke(t, `{"user":"`+user+`"}`); err != nil || out != `{"company":"Zylker"}` {
		t.Errorf("the answer is %s, %v", out, err)
	}
}

// TestExpiredToken refuses the stored token: asking again with the same one would not help.
func TestExpiredToken(t *testing.T) {
	w := newWorld(t)
	w.accepts = "1000.fake.never-stored"
	if _, err := w.handle(t.Context(), request{User: user}); !errors.Is(err, errUnauthorized) {
		t.Errorf("the error is %v", err)
	}
	if w.asked != 1 {
		t.Errorf("the CRM was asked %d times", w.asked)
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
	if w.asked != 0 {
		t.Errorf("the CRM was asked %d times", w.asked)
	}
}

// TestErrorsHoldNoCredential checks what the runtime would log and return.
func TestErrorsHoldNoCredential(t *testing.T) {
	w := newWorld(t)
	w.accepts = "1000.fake.never-stored"
	_, err := w.invoke(t, `{"user":"`+user+`"}`)
	text, _ := json.Marshal(fmt.Sprintf("%v %+v", err, err))
	if err == nil || strings.Contains(string(text), "1000.") {
		t.Errorf("the error is %s", text)
	}
}

func TestNewFunction(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("TOKEN_PREFIX", "crm/")
	if f, err := newFunction(t.Context()); err != nil || f.store == nil {
		t.Errorf("the function cannot be made: %v", err)
	}
	t.Setenv("TOKEN_PREFIX", "crm//")
	if _, err := newFunction(t.Context()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Errorf("a prefix that cannot be used gives %v", err)
	}
}
