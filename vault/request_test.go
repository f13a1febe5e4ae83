package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/vault"
)

// TestRequests shows what goes over the wire: one request each, to paths that
// have nothing but plain characters.
func TestRequests(t *testing.T) {
	server, client := play(t, func(r sent) (int, string) {
		switch {
		case strings.HasPrefix(r.path, "/v1/sys/"):
			return 200, mountReply
		case r.method == http.MethodGet:
			return 200, stored(2, `{"a":"b","gone":"c","driver_nonce":"x"}`)
		}
		return 200, written
	})
	secrets := secretsOf(t, client, vault.WithNamespace("team"), vault.WithReads(vault.ReadsActiveNode))
	got, err := secrets.Get(t.Context(), "tokens/a b/ü..%")
	if err != nil || string(got.Data) != `{"a":"b","gone":"c"}` {
		t.Fatalf("%s, %v", got.Data, err)
	}
	revision, err := secrets.Put(t.Context(), driver.Secret{Name: got.Name, Data: []byte(`{"a":"new","n":1}`), Revision: got.Revision})
	if err != nil || revision == got.Revision {
		t.Fatal(revision, err)
	}
	if _, err := secrets.Put(t.Context(), driver.Secret{Name: "new", Data: []byte(`{"a":"b"}`)}); err != nil {
		t.Fatal(err)
	}
	seen := server.requests()
	const path = "/v1/secret/data/tokens/a=20b/=c3=bc.=2e=25"
	if len(seen) != 3 || seen[0].path != path || seen[1].path != path || seen[2].path != "/v1/secret/data/new" {
		t.Fatalf("%+v", seen)
	}
	read, patch, create := seen[0], seen[1], seen[2]
	if read.forward != "active-node" || read.namespace != "team" || read.token != "fake-vault-token" {
		t.Errorf("read: %+v", read)
	}
	data, _ := patch.body["data"].(map[string]any)
	gone, named := data["gone"]
	if patch.method != http.MethodPatch || patch.contentType != "application/merge-patch+json" || cas(patch) != 2 ||
		data["a"] != "new" || !named || gone != nil || data["driver_nonce"] == "" || patch.forward != "" {
		t.Errorf("patch: %+v", patch)
	}
	if create.method != http.MethodPut || cas(create) != 0 {
		t.Errorf("create: %+v", create)
	}
	if client.Namespace() != "" || client.Token() != "fake-vault-token" {
		t.Error("the caller's client was changed")
	}
}

func cas(r sent) int {
	options, _ := r.body["options"].(map[string]any)
	n, ok := options["cas"].(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// memory is a server that keeps the versions of one secret.
type memory struct {
	versions []map[string]any
	lose     int // how many replies to writes are lost
}

func (m *memory) say(r sent) (int, string) {
	if strings.HasPrefix(r.path, "/v1/sys/") {
		return 200, mountReply
	}
	if r.method == http.MethodGet {
		n := len(m.versions)
		if version, ok := strings.CutPrefix(r.query, "version="); ok {
			_ = json.Unmarshal([]byte(version), &n)
		}
		if n == 0 || n > len(m.versions) {
			return 404, absentReply
		}
		fields, _ := json.Marshal(m.versions[n-1])
		return 200, stored(n, string(fields))
	}
	if cas(r) != len(m.versions) {
		return 400, mismatch
	}
	fields, _ := r.body["data"].(map[string]any)
	m.versions = append(m.versions, fields)
	if m.lose > 0 {
		m.lose--
		return 502, ""
	}
	n, _ := json.Marshal(len(m.versions))
	return 200, `{"data":{"version":` + string(n) + `,"created_time":"2030-01-02T03:04:05.678Z"}}`
}

// TestLostReply loses the reply to a write that was carried out. The client
// repeats it, the repetition fails on what the write itself has stored, and yet
// it is no conflict.
func TestLostReply(t *testing.T) {
	m := &memory{lose: 1}
	_, client := play(t, m.say)
	secrets := secretsOf(t, client)
	first, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	m.lose = 3 // All attempts: the write is looked up.
	second, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"2"}`), Revision: first})
	if err != nil {
		t.Fatal(err)
	}
	got, err := secrets.Get(t.Context(), "a")
	if err != nil || got.Revision != second || len(m.versions) != 2 {
		t.Errorf("%d versions, %v", len(m.versions), err)
	}
	// Another write that comes first is a conflict, also after a lost reply.
	m.versions = append(m.versions, map[string]any{"n": "of another"})
	m.lose = 1
	if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"3"}`), Revision: second}); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("error: %v", err)
	}
}

// TestUpgrade asks a mount again that becomes version 2 just now.
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

// TestSession logs in once for many callers, again when the token is refused,
// and not when a permission is missing.
func TestSession(t *testing.T) {
	valid := "fake-token-1"
	server, client := play(t, func(r sent) (int, string) {
		switch {
		case r.token != valid:
			return 403, `{"errors":["permission denied"]}`
		case strings.HasSuffix(r.path, "/lookup-self"):
			return 200, `{"data":{"ttl":3600,"renewable":true}}`
		case strings.HasSuffix(r.path, "/forbidden"):
			return 403, `{"errors":["permission denied"]}`
		}
		return 200, stored(1, `{"a":"b"}`)
	})
	var logins atomic.Int64
	secrets := secretsOf(t, client, vault.WithLogin(vault.LoginToken(func(context.Context) (string, error) {
		logins.Add(1)
		return valid, nil
	})))
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := secrets.Get(t.Context(), "a")
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := logins.Load(); n != 1 {
		t.Errorf("%d logins of 8 callers", n)
	}
	valid = "fake-token-2" // The first one was revoked.
	if _, err := secrets.Get(t.Context(), "a"); err != nil || logins.Load() != 2 {
		t.Errorf("after a revocation: %d logins, %v", logins.Load(), err)
	}
	before := len(server.requests())
	if _, err := secrets.Get(t.Context(), "forbidden"); !errors.Is(err, driver.ErrDenied) || logins.Load() != 2 {
		t.Errorf("what is forbidden: %d logins, %v", logins.Load(), err)
	}
	if n := len(server.requests()) - before; n != 2 {
		t.Errorf("what is forbidden took %d requests", n)
	}
	if client.Token() != "fake-vault-token" {
		t.Error("the caller's client was changed")
	}
}

// TestCallersToken uses the token that the caller's client has at the moment.
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

// TestExpiredSession logs in again by the clock on the wall.
func TestExpiredSession(t *testing.T) {
	_, client := play(t, always(200, stored(1, `{"a":"b"}`)))
	var logins atomic.Int64
	session, err := vault.NewSession(client, shortLogin{&logins})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := session.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	if _, err := session.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if logins.Load() != 2 {
		t.Errorf("%d logins", logins.Load())
	}
}

// shortLogin gives tokens that last for a second.
type shortLogin struct{ logins *atomic.Int64 }

func (l shortLogin) Login(context.Context, *api.Client) (*api.Secret, error) {
	l.logins.Add(1)
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: "fake-short", LeaseDuration: 1}}, nil
}

// TestOpenReaches opens a store by URL and finds a user whose token is not there:
// the server is asked for the path that the URL's mount, prefix and pepper give.
func TestOpenReaches(t *testing.T) {
	server, client := play(t, always(http.StatusNotFound, absentReply))
	t.Setenv("VAULT_ADDR", client.Address())
	t.Setenv("VAULT_TOKEN", "fake-vault-token")
	pepper, id := adaptertest.Pepper(t, "ada")
	store, err := tokenstore.Open(t.Context(), "vault://secret/crm?pepper_file="+pepper)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("find: %v", err)
	}
	if requests := server.requests(); len(requests) == 0 || requests[0].path != "/v1/secret/data/crm/tokens/"+id {
		t.Errorf("the server was asked for %+v", requests)
	}
}
