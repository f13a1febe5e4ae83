package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// TestErrors produces each kind of fault and checks its sentinel, the client's own
// error, and whether it is retryable.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int
		body      string
		kind      error
		retryable bool
		tries     int // of a read
	}{
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, driver.ErrUnavailable, true, 1},
		{"maintenance", 503, "<html>try later</html>", driver.ErrUnavailable, true, 3},
		{"no active node", 500, `{"errors":["local node not active but active cluster node not found"]}`, driver.ErrUnavailable, true, 3},
		{"not initialized", 501, `{"errors":["Vault is not initialized"]}`, driver.ErrUnavailable, true, 1},
		{"bad gateway", 502, "", driver.ErrUnavailable, true, 3},
		{"state not replicated", 412, `{"errors":["required index state not present"]}`, driver.ErrUnavailable, true, 3},
		{"rate limit", 429, `{"errors":["request path \"secret/data/tokens/a\": rate limit quota exceeded"]}`, driver.ErrThrottled, true, 3},
		{"denied", 403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, driver.ErrDenied, false, 1},
		{"no token", 400, `{"errors":["missing client token"]}`, driver.ErrDenied, false, 1},
		{"too large", 413, `{"errors":["put failed due to value being too large"]}`, driver.ErrTooLarge, false, 1},
		{"too large as an internal error", 500, `{"errors":["put failed due to value being too large; got 2 bytes, max: 1 bytes"]}`, driver.ErrTooLarge, false, 3},
		{"string too long", 500, `{"errors":["JSON string value exceeds allowed length"]}`, driver.ErrTooLarge, false, 3},
		{"too deep", 500, `{"errors":["JSON input exceeds allowed nesting depth"]}`, driver.ErrInvalid, false, 3},
		{"a request that Vault does not take", 400, `{"errors":["no value provided for secretive-name"]}`, driver.ErrInvalid, false, 1},
		{"an operation that Vault does not know", 405, `{"errors":["unsupported operation"]}`, driver.ErrInvalid, false, 1},
		{"no leave of the proxy", 407, "<html>", driver.ErrDenied, false, 1},
		{"disaster recovery standby", 472, "{}", driver.ErrUnavailable, true, 1},
		{"performance standby", 473, "{}", driver.ErrUnavailable, true, 1},
		{"no mount", 404, `{"errors":["no handler for route \"secret/data/tokens/a\". route entry not found."]}`, vault.ErrNotKV2, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := play(t, always(c.status, c.body))
			secrets := secretsOf(t, client)
			_, getErr := secrets.Get(t.Context(), "tokens/secretive-name")
			if n := len(server.requests()); n != c.tries {
				t.Errorf("Get took %d requests instead of %d", n, c.tries)
			}
			_, putErr := secrets.Put(t.Context(), driver.Secret{Name: "tokens/secretive-name", Data: []byte(`{"a":"fake-data"}`)})
			for _, err := range []error{getErr, putErr} {
				var reply *api.ResponseError
				if !errors.Is(err, c.kind) || !errors.As(err, &reply) || reply.StatusCode != c.status {
					t.Errorf("error: %v", err)
					continue
				}
				if tokenstore.Retryable(err) != c.retryable {
					t.Errorf("retryable is %v: %v", !c.retryable, err)
				}
				if strings.Contains(err.Error(), "secretive") || strings.Contains(err.Error(), "fake-data") || strings.Contains(err.Error(), "tokens/a") {
					t.Errorf("the error names what it must not: %v", err)
				}
			}
		})
	}
}

// TestUnreachable has no listening server, and a client with few retries.
func TestUnreachable(t *testing.T) {
	_, client := play(t, always(200, stored(1, `{}`)))
	if err := client.SetAddress("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	_, err := secretsOf(t, client).Get(t.Context(), "tokens/secretive-name")
	if !errors.Is(err, driver.ErrUnavailable) || !tokenstore.Retryable(err) || strings.Contains(err.Error(), "secretive") {
		t.Errorf("error: %v", err)
	}
}

// TestTimeouts distinguishes the client's own timeout, which is worth a retry, from the
// end of the caller's context, whose error is returned unchanged.
func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	_, client := play(t, func(sent) (int, string) {
		<-release
		return 200, stored(1, `{}`)
	})
	t.Cleanup(func() { close(release) })
	client.SetClientTimeout(20 * time.Millisecond)
	_, err := secretsOf(t, client).Get(t.Context(), "a")
	if !errors.Is(err, driver.ErrUnavailable) || !tokenstore.Retryable(err) {
		t.Errorf("the client's timeout: %v", err)
	}
	client.SetClientTimeout(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	secrets := secretsOf(t, client)
	if _, err := secrets.Get(ctx, "a"); err != ctx.Err() { //nolint:errorlint // It must be the very error.
		t.Errorf("the caller's deadline: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := secrets.Put(ended, driver.Secret{Name: "a", Data: []byte(`{}`)}); err != ended.Err() { //nolint:errorlint // As above.
		t.Errorf("a context that has ended: %v", err)
	}
}

// TestNotKV2 refuses a mount of version 1 before anything is written there, and a reply
// without a version if the mount cannot be checked.
func TestNotKV2(t *testing.T) {
	put := driver.Secret{Name: "a", Data: []byte(`{"a":"b"}`)}
	server, client := play(t, func(r sent) (int, string) {
		if strings.HasPrefix(r.path, "/v1/sys/") {
			return 200, `{"data":{"type":"kv","options":{"version":"1"}}}`
		}
		return 404, absentReply
	})
	secrets := secretsOf(t, client)
	_, getErr := secrets.Get(t.Context(), "a")
	_, putErr := secrets.Put(t.Context(), put)
	for _, err := range []error{getErr, putErr, secrets.Delete(t.Context(), "a", "1@t")} {
		if !errors.Is(err, vault.ErrNotKV2) || !strings.Contains(err.Error(), "version 1") || tokenstore.Retryable(err) {
			t.Errorf("error: %v", err)
		}
	}
	for _, r := range server.requests() {
		if r.method != http.MethodGet {
			t.Errorf("%s %s to a mount of version 1", r.method, r.path)
		}
	}

	_, client = play(t, func(r sent) (int, string) {
		switch {
		case strings.HasPrefix(r.path, "/v1/sys/"):
			return 403, `{"errors":["permission denied"]}`
		case r.method == http.MethodGet:
			return 200, `{"data":{"a":"b"}}`
		}
		return 204, ""
	})
	secrets = secretsOf(t, client)
	if _, err := secrets.Get(t.Context(), "a"); !errors.Is(err, vault.ErrNotKV2) {
		t.Errorf("Get: %v", err)
	}
	if _, err := secrets.Put(t.Context(), put); !errors.Is(err, vault.ErrNotKV2) {
		t.Errorf("Put: %v", err)
	}
}

// TestUpgrade retries on a mount that is being upgraded to version 2.
func TestUpgrade(t *testing.T) {
	left := 2
	server, client := play(t, func(r sent) (int, string) {
		if left--; left >= 0 {
			return 400, `{"errors":["Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."]}`
		}
		return 200, stored(1, `{"a":"b"}`)
	})
	if _, err := secretsOf(t, client).Get(t.Context(), "a"); err != nil || len(server.requests()) != 3 {
		t.Errorf("%d requests, %v", len(server.requests()), err)
	}
}

// TestCallersToken uses the current token of the caller's client.
func TestCallersToken(t *testing.T) {
	server, client := play(t, always(200, stored(1, `{"a":"b"}`)))
	secrets := secretsOf(t, client)
	for _, token := range []string{"fake-1", "fake-2"} {
		client.SetToken(token)
		if _, err := secrets.Get(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if seen := server.requests(); seen[0].token != "fake-1" || seen[1].token != "fake-2" {
		t.Error("the token is not that of the caller's client")
	}
}

// TestNothingShown: no error, and nothing reached from it with errors.As, shows the user in
// the server's address, a path, or a token.
func TestNothingShown(t *testing.T) {
	server, client := play(t, always(403, denied))
	_ = server
	withUser := strings.Replace(client.Address(), "//", "//fake-user:fake-password@", 1)
	for _, address := range []string{withUser, "http://fake-user:fake-password@127.0.0.1:1", "fake-user:fake-password@127.0.0.1:1", "http://fake-user:fake-password@nowhere.invalid"} {
		c := client.CloneConfig()
		c.Address, c.MaxRetries = address, 0
		asked, err := api.NewClient(c)
		if err != nil {
			if strings.Contains(address, "//") {
				t.Fatal(err)
			}
			continue
		}
		asked.SetToken("fake-vault-token")
		_, err = secretsOf(t, asked).Get(t.Context(), "tokens/secretive")
		if err == nil {
			t.Fatalf("%s: no error", address)
		}
		shown := fmt.Sprintf("%v %+v %#v", err, err, err)
		var reply *api.ResponseError
		if errors.As(err, &reply) {
			shown += reply.Error() + fmt.Sprintf("%+v", *reply)
		}
		var network *url.Error
		if errors.As(err, &network) {
			shown += network.Error()
		}
		for _, secret := range []string{"fake-user", "fake-password", "secretive", "fake-vault-token"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s: %s is in %s", address, secret, shown)
			}
		}
	}
}

// TestForeignWords: unknown messages of a server or proxy are not passed on.
func TestForeignWords(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{
		{400, `{"errors":["cannot parse \"fake-data\""]}`},
		{404, `{"errors":["no fake-data here"]}`},
		{404, `{"data":null,"warnings":["fake-data"]}`},
		{500, `{"errors":["fake-data: permission denied"]}`},
		{200, `fake-data`},
	} {
		_, client := play(t, always(c.status, c.body))
		secrets := secretsOf(t, client)
		_, err := secrets.Get(t.Context(), "a")
		for op, err := range everyWrite(t.Context(), secrets) {
			if err == nil || strings.Contains(err.Error(), "fake-data") {
				t.Errorf("%d %s, %s: %v", c.status, c.body, op, err)
			}
		}
		if err == nil || strings.Contains(err.Error(), "fake-data") {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	// The server does not speak HTTP, and package net/http quotes what it sent.
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("fake-data is not HTTP\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	_, client := play(t, always(200, ""))
	if err := client.SetAddress("http://" + listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if _, err := secretsOf(t, client).Get(t.Context(), "a"); !errors.Is(err, driver.ErrUnavailable) || strings.Contains(err.Error(), "fake-data") {
		t.Errorf("no HTTP: %v", err)
	}
}

// TestUnsendable: a value that no header can hold is not reported as a missing answer.
func TestUnsendable(t *testing.T) {
	server, client := play(t, always(200, stored(1, `{}`)))
	client.SetToken("fake-vault-token\n")
	_, err := secretsOf(t, client).Get(t.Context(), "a")
	if !errors.Is(err, driver.ErrDenied) || tokenstore.Retryable(err) || !strings.Contains(err.Error(), "line break") || strings.Contains(err.Error(), "fake-vault") {
		t.Errorf("a token with a line break: %v", err)
	}
	login := vault.LoginToken(func(context.Context) (string, error) { return "fake-vault\ntoken", nil })
	_, err = secretsOf(t, client, vault.WithLogin(login)).Get(t.Context(), "a")
	if !errors.Is(err, driver.ErrDenied) || tokenstore.Retryable(err) || !strings.Contains(err.Error(), "line break") {
		t.Errorf("a login with a line break: %v", err)
	}
	client.SetToken("fake-vault-token")
	_, err = secretsOf(t, client, vault.WithNamespace("team\n")).Get(t.Context(), "a")
	if !errors.Is(err, driver.ErrInvalid) || tokenstore.Retryable(err) {
		t.Errorf("a namespace with a line break: %v", err)
	}
	if n := len(server.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	for address, words := range map[string]string{
		"127.0.0.1:8200": "https://host:port", "https" + strings.TrimPrefix(client.Address(), "http"): "TLS",
	} {
		if err := client.SetAddress(address); err != nil {
			continue // The client refuses it itself.
		}
		if _, err := secretsOf(t, client).Get(t.Context(), "a"); !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
