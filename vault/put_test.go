package vault_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

const (
	denied    = `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`
	throttled = `{"errors":["request path \"secret/data/a\": rate limit quota exceeded"]}`
)

// methods returns the methods of the requests to one part of the mount since the given one.
func (s *script) methods(part string, since int) string {
	var methods []string
	for _, r := range s.requests()[since:] {
		if strings.HasPrefix(r.path, "/v1/secret/"+part+"/") {
			methods = append(methods, r.method)
		}
	}
	return strings.Join(methods, " ")
}

// TestNoPatch writes plainly if the policy denies patches, or the server or a proxy
// does not know them, and does not try another patch.
func TestNoPatch(t *testing.T) {
	for name, refusal := range map[string]struct {
		status int
		body   string
	}{
		"denied":  {403, denied},
		"unknown": {405, `{"errors":["unsupported operation"]}`},
		"proxy":   {405, "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := play(t, func(r sent) (int, string) {
				switch {
				case strings.HasPrefix(r.path, "/v1/sys/"):
					return 200, mountReply
				case r.method == http.MethodGet:
					return 200, stored(2, `{"a":"1"}`)
				case r.method == http.MethodPatch:
					return refusal.status, refusal.body
				}
				return 200, written
			})
			secrets := secretsOf(t, client)
			got, err := secrets.Get(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"PATCH PUT", "PUT"} {
				before := len(server.requests())
				if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"2"}`), Revision: got.Revision}); err != nil {
					t.Errorf("Put: %v", err)
				}
				if methods := server.methods("data", before); methods != want {
					t.Errorf("Put sent %s instead of %s", methods, want)
				}
			}
		})
	}
}

// TestExpiredTokenKeepsPatch lets the token expire before a write. With a new one the store
// patches as before: a refused token says nothing about patches.
func TestExpiredTokenKeepsPatch(t *testing.T) {
	server, client := play(t, func(r sent) (int, string) {
		switch {
		case strings.HasPrefix(r.path, "/v1/sys/"):
			return 200, mountReply
		case r.token == "fake-expired":
			return 403, denied
		case r.method == http.MethodGet:
			return 200, stored(2, `{"a":"1"}`)
		}
		return 200, written
	})
	secrets := secretsOf(t, client)
	got, err := secrets.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	put := driver.Secret{Name: "a", Data: []byte(`{"a":"2"}`), Revision: got.Revision}
	client.SetToken("fake-expired")
	if _, err := secrets.Put(t.Context(), put); !errors.Is(err, driver.ErrDenied) {
		t.Errorf("Put with an expired token: %v", err)
	}
	client.SetToken("fake-fresh")
	before := len(server.requests())
	if _, err := secrets.Put(t.Context(), put); err != nil {
		t.Errorf("Put with a fresh token: %v", err)
	}
	if methods := server.methods("data", before); methods != "PATCH" {
		t.Errorf("Put with a fresh token sent %s", methods)
	}
}

// TestPruningDenied stops limiting Vault's versions once the policy denies it, but goes
// on if only the token has expired.
func TestPruningDenied(t *testing.T) {
	for name, c := range map[string]struct {
		readable bool // when the number of versions is denied
		asked    string
	}{
		"policy":  {true, ""},
		"expired": {false, "PUT"},
	} {
		t.Run(name, func(t *testing.T) {
			left := 1
			server, client := play(t, func(r sent) (int, string) {
				switch {
				case strings.HasPrefix(r.path, "/v1/sys/"):
					return 200, mountReply
				case strings.HasPrefix(r.path, "/v1/secret/metadata/") && left > 0:
					left--
					return 403, denied
				case r.method == http.MethodGet && !c.readable:
					return 403, denied
				case r.method == http.MethodGet:
					return 200, stored(1, `{"a":"1"}`)
				}
				return 200, `{"data":{"version":1,"created_time":"2030-01-02T03:04:05.678Z"}}`
			})
			secrets := secretsOf(t, client, vault.WithMaxVersions(2))
			if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"1"}`)}); err != nil {
				t.Fatal(err)
			}
			before := len(server.requests())
			if _, err := secrets.Put(t.Context(), driver.Secret{Name: "b", Data: []byte(`{"a":"1"}`)}); err != nil {
				t.Fatal(err)
			}
			if methods := server.methods("metadata", before); methods != c.asked {
				t.Errorf("the second Put sent %q instead of %q", methods, c.asked)
			}
		})
	}
}

// TestLostThenRefused loses the reply to a write whose retries are refused. The
// refusals are about the retries only, so the write is looked up.
func TestLostThenRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		hold    string // whose version is stored then: the write's, another's or none
		unseen  bool   // reads are refused too
		want    error
		retries bool
	}{
		"throttled, applied":   {status: 429, body: throttled, hold: "mine"},
		"throttled, another's": {status: 429, body: throttled, hold: "other", want: driver.ErrConflict, retries: true},
		"throttled, not yet":   {status: 429, body: throttled, want: driver.ErrUnavailable, retries: true},
		"throttled, unseen":    {status: 429, body: throttled, hold: "mine", unseen: true, want: driver.ErrUnavailable, retries: true},
		"denied, applied":      {status: 403, body: denied, hold: "mine"},
		"denied, unseen":       {status: 403, body: denied, hold: "mine", unseen: true, want: driver.ErrUnavailable, retries: true},
		"sealed, unseen":       {status: 503, body: `{"errors":["Vault is sealed"]}`, hold: "mine", unseen: true, want: driver.ErrUnavailable, retries: true},
		"mismatch, unseen":     {status: 400, body: mismatch, hold: "mine", unseen: true, want: driver.ErrUnavailable, retries: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			lost := false
			_, client := play(t, func(r sent) (int, string) {
				switch {
				case strings.HasPrefix(r.path, "/v1/sys/"):
					return 200, mountReply
				case r.method == http.MethodGet && !c.unseen:
					return m.say(r)
				case r.method == http.MethodGet:
					return 403, denied
				case lost:
					return c.status, c.body
				}
				lost = true
				switch c.hold {
				case "mine":
					m.say(r)
				case "other":
					m.versions = append(m.versions, map[string]any{"n": "of another"})
				}
				return 502, ""
			})
			revision, err := secretsOf(t, client).Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"fake-data"}`)})
			if c.want == nil {
				if err != nil || revision == "" {
					t.Errorf("revision %q, error: %v", revision, err)
				}
				return
			}
			if !errors.Is(tokenstore.Kind(err), c.want) || tokenstore.Retryable(err) != c.retries {
				t.Fatalf("error: %v", err)
			}
			var reply *api.ResponseError
			if c.unseen && !errors.As(err, &reply) || strings.Contains(err.Error(), "secret/data") || strings.Contains(err.Error(), "fake-data") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestRefusedOnly looks nothing up if every attempt was refused.
func TestRefusedOnly(t *testing.T) {
	server, client := play(t, always(429, throttled))
	_, err := secretsOf(t, client).Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{}`)})
	if !errors.Is(tokenstore.Kind(err), driver.ErrThrottled) {
		t.Errorf("error: %v", err)
	}
	if methods := server.methods("data", 0); methods != "PUT PUT PUT" {
		t.Errorf("Put sent %s", methods)
	}
}

// TestRetireStale reads a tombstone on a standby that does not have it yet. Older
// versions are destroyed once the tombstone shows, and not reported as destroyed
// before.
func TestRetireStale(t *testing.T) {
	for name, c := range map[string]struct {
		stale int // how many reads show the version before
		want  error
		sent  string
	}{
		"in time": {stale: 2, sent: "PUT"},
		"never":   {stale: 1000, want: driver.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := play(t, func(r sent) (int, string) {
				switch {
				case strings.HasPrefix(r.path, "/v1/sys/"):
					return 200, mountReply
				case r.method != http.MethodGet:
					return 204, ""
				case c.stale > 0:
					c.stale--
					return 200, stored(2, `{"a":"1"}`)
				}
				return 200, stored(3, `{"deleted":"1"}`)
			})
			retirer, ok := secretsOf(t, client).(driver.Retirer)
			if !ok {
				t.Fatal("no Retirer")
			}
			err := retirer.Retire(t.Context(), "a", "3@2030-01-02T03:04:05.678Z")
			if !errors.Is(err, c.want) || c.want != nil && !tokenstore.Retryable(err) {
				t.Errorf("error: %v", err)
			}
			if methods := server.methods("destroy", 0); methods != c.sent {
				t.Errorf("sent %q to destroy", methods)
			}
		})
	}
}

// TestLostPatchThenUnknown loses the reply to a patch, and a proxy that does not know
// patches answers the retry. The outcome stays unknown: no plain write follows, whose
// refusal would be taken for the patch's.
func TestLostPatchThenUnknown(t *testing.T) {
	lost := false
	server, client := play(t, func(r sent) (int, string) {
		switch {
		case strings.HasPrefix(r.path, "/v1/sys/"):
			return 200, mountReply
		case r.method == http.MethodGet:
			return 200, stored(2, `{"a":"1"}`)
		case r.method == http.MethodPut:
			return 429, throttled
		case lost:
			return 405, "<html>"
		}
		lost = true
		return 502, ""
	})
	_, err := secretsOf(t, client).Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"a":"2"}`), Revision: "2@2030-01-02T03:04:05.678Z"})
	if !errors.Is(tokenstore.Kind(err), driver.ErrUnavailable) {
		t.Errorf("error: %v", err)
	}
	if methods := server.methods("data", 0); methods != "GET PATCH PATCH GET" {
		t.Errorf("Put sent %s", methods)
	}
}

// TestRequests shows the requests on the wire: one each, to paths with plain characters
// only.
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

// TestLostReply loses the reply to a write that was applied. The client retries it, the
// retry fails on the version that the write itself has stored, and still it is not a
// conflict.
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
	// Another write that comes first is a conflict, even after a lost reply.
	m.versions = append(m.versions, map[string]any{"n": "of another"})
	m.lose = 1
	if _, err := secrets.Put(t.Context(), driver.Secret{Name: "a", Data: []byte(`{"n":"3"}`), Revision: second}); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("error: %v", err)
	}
}
