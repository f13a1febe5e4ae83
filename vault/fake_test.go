package vault_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// These tests show the shape of requests and the handling of each kind of reply. The server
// here only replays a test's replies; integration/vault tests a real server's behaviour.

// sent is one request as the server received it.
type sent struct {
	method, path, query, token, namespace, forward, contentType string
	body                                                        map[string]any
}

// script is a server that gives the replies of a function.
type script struct {
	mu   sync.Mutex
	seen []sent
	say  func(sent) (status int, body string)
}

const (
	mountReply  = `{"data":{"type":"kv","path":"secret/","options":{"version":"2"}}}`
	written     = `{"data":{"version":3,"created_time":"2030-01-02T03:04:05.678Z"}}`
	mismatch    = `{"errors":["check-and-set parameter did not match the current version"]}`
	absentReply = `{"errors":[]}`
)

// play starts the server and returns it with a client with few and quick retries. Checks of
// the mount are answered, and not recorded.
func play(t *testing.T, say func(sent) (int, string)) (*script, *api.Client) {
	t.Helper()
	s := &script{say: say}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for _, name := range []string{"VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_ADDR", "VAULT_MAX_RETRIES"} {
		t.Setenv(name, "")
	}
	c := api.DefaultConfig()
	c.Address = server.URL
	c.MinRetryWait, c.MaxRetryWait, c.MaxRetries = time.Millisecond, 2*time.Millisecond, 2
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken("fake-vault-token")
	return s, client
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := sent{
		method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, token: r.Header.Get("X-Vault-Token"),
		namespace: r.Header.Get("X-Vault-Namespace"), forward: r.Header.Get("X-Vault-Forward"), contentType: r.Header.Get("Content-Type"),
	}
	raw, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(raw, &got.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body := s.say(got)
	if got.path != "/v1/sys/internal/ui/mounts/secret" && got.path != "/v1/sys/health" || status >= 400 {
		s.seen = append(s.seen, got)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// requests returns the requests so far, without checks of the mount.
func (s *script) requests() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent(nil), s.seen...)
}

// always gives one reply to everything but checks of the mount.
func always(status int, body string) func(sent) (int, string) {
	return func(r sent) (int, string) {
		if strings.HasPrefix(r.path, "/v1/sys/internal/ui/mounts/secret") {
			return http.StatusOK, mountReply
		}
		return status, body
	}
}

func secretsOf(t *testing.T, client *api.Client, options ...vault.Option) driver.Secrets {
	t.Helper()
	secrets, err := vault.NewSecrets(client, options...)
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

// stored is the reply to a read.
func stored(version int, fields string) string {
	metadata, _ := json.Marshal(map[string]any{"version": version, "created_time": "2030-01-02T03:04:05.678Z"})
	return `{"data":{"data":` + fields + `,"metadata":` + string(metadata) + `}}`
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
