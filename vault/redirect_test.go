package vault_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// redirecting starts a server that redirects all requests to the given one, and returns
// a client for it that trusts the other's certificate.
func redirecting(t *testing.T, to *httptest.Server, status int, host string) *api.Client {
	t.Helper()
	for _, name := range []string{"VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_ADDR", "VAULT_MAX_RETRIES"} {
		t.Setenv(name, "")
	}
	target := strings.Replace(to.URL, "127.0.0.1", host, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", target+r.URL.RequestURI())
		w.WriteHeader(status)
	}))
	t.Cleanup(front.Close)
	c := api.DefaultConfig()
	c.Address = front.URL
	c.HttpClient = to.Client() // Follows redirects by itself, with all headers.
	c.MinRetryWait, c.MaxRetryWait, c.MaxRetries = time.Millisecond, 2*time.Millisecond, 2
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken("fake-vault-token")
	return client
}

// TestRedirects: a load balancer redirects plain HTTP to TLS on the same host. Writes
// and patches arrive complete, with the token, and once.
func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 307} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			m := &memory{}
			s := &script{say: func(r sent) (int, string) {
				if strings.HasPrefix(r.path, "/v1/secret/destroy/") {
					return 204, ""
				}
				return m.say(r)
			}}
			back := httptest.NewTLSServer(s)
			t.Cleanup(back.Close)
			secrets := secretsOf(t, redirecting(t, back, status, "127.0.0.1"))
			first, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"<1>"}`)})
			if err != nil {
				t.Fatal(err)
			}
			second, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"2"}`), Revision: first})
			if err != nil {
				t.Fatal(err)
			}
			if err := secrets.Delete(t.Context(), "a", second); err != nil {
				t.Error(err)
			}
			if len(m.versions) != 3 || m.versions[0]["n"] != "<1>" || m.versions[1]["n"] != "2" {
				t.Errorf("stored: %v", m.versions)
			}
			if methods := s.methods("data", 0); methods != "PUT PATCH PUT" {
				t.Errorf("sent: %s", methods)
			}
			for _, r := range s.requests() {
				if r.token != "fake-vault-token" {
					t.Errorf("%s %s has the token %q", r.method, r.path, r.token)
				}
			}
			// A redirect is not an attempt: a conflict after one is certain.
			if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"3"}`), Revision: first}); !errors.Is(err, driver.ErrConflict) {
				t.Errorf("a conflict: %v", err)
			}
		})
	}
}

// TestForeignRedirects: the target of a redirect to another host, port or scheme gets
// no token or credential, and the error says why.
func TestForeignRedirects(t *testing.T) {
	plain := httptest.NewServer
	for name, c := range map[string]struct {
		start func(http.Handler) *httptest.Server
		host  string
	}{
		"another host":            {httptest.NewTLSServer, "localhost"},
		"another port":            {plain, "127.0.0.1"},
		"another host, no TLS":    {plain, "localhost"},
		"somebody in the address": {plain, "fake-user:fake-password@127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Int64
			back := c.start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				_, _ = io.WriteString(w, `{"auth":{"client_token":"fake-stolen"}}`)
			}))
			t.Cleanup(back.Close)
			client := redirecting(t, back, 307, c.host)
			secrets := secretsOf(t, client)
			_, err := secrets.Get(t.Context(), "tokens/secretive")
			check := func(op string, err error) {
				t.Helper()
				if err == nil || tokenstore.Retryable(err) || !strings.Contains(err.Error(), "another host") ||
					strings.Contains(err.Error(), "secretive") || strings.Contains(err.Error(), "fake-") {
					t.Errorf("%s: %v", op, err)
				}
			}
			check("Get", err)
			for op, err := range everyWrite(t.Context(), secrets) {
				check(op, err)
			}
			session, err := vault.NewSession(client, roleLogin{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = session.Token(t.Context())
			check("log in", err)
			if n := reached.Load(); n != 0 {
				t.Errorf("%d requests went there", n)
			}
		})
	}
}

// TestDowngrade: a redirect from TLS to plain HTTP is refused too.
func TestDowngrade(t *testing.T) {
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(front.Close)
	c := api.DefaultConfig()
	c.Address, c.HttpClient = front.URL, front.Client()
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secretsOf(t, client).Get(t.Context(), "a"); !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "scheme") {
		t.Errorf("error: %v", err)
	}
}

// TestUnfollowed: the client follows no redirect of another kind and no second one, and
// some clients follow none. That is not reported as a missing answer.
func TestUnfollowed(t *testing.T) {
	for _, status := range []int{302, 303, 307, 308} {
		var front *httptest.Server
		front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, front.URL+r.URL.RequestURI(), status) // To itself, forever.
		}))
		t.Cleanup(front.Close)
		c := api.DefaultConfig()
		c.Address = front.URL
		client, err := api.NewClient(c)
		if err != nil {
			t.Fatal(err)
		}
		secrets := secretsOf(t, client)
		_, err = secrets.Get(t.Context(), "a")
		errs := everyWrite(t.Context(), secrets)
		errs["get"] = err
		for op, err := range errs {
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "VAULT_ADDR") {
				t.Errorf("%d, %s: %v", status, op, err)
			}
		}
	}
}
