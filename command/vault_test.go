// A server that answers as Vault's KV version 2 does, as far as doctor's tests need it.

package command

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/vault"
)

// fakeVault keeps all versions of all secrets of the mount "secret".
type fakeVault struct {
	mu          sync.Mutex
	url         string
	now         func() time.Time
	secretsOf   map[string][]kv
	deleteAfter string
}

// kv is one version.
type kv struct {
	data    map[string]any // nil: destroyed
	created time.Time
}

func newFakeVault(t *testing.T, now func() time.Time) *fakeVault {
	t.Helper()
	for _, name := range []string{"VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_ADDR", "VAULT_MAX_RETRIES"} {
		t.Setenv(name, "")
	}
	v := &fakeVault{now: now, secretsOf: map[string][]kv{}}
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	v.url = server.URL
	return v
}

// secrets returns the driver of a new process.
func (v *fakeVault) secrets() (driver.Secrets, error) {
	c := api.DefaultConfig()
	c.Address = v.url
	client, err := api.NewClient(c)
	if err != nil {
		return nil, err
	}
	client.SetToken("fake-vault-token")
	return vault.NewSecrets(client)
}

func (v *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	status, reply := v.answer(r, raw)
	w.WriteHeader(status)
	if reply != nil {
		_ = json.NewEncoder(w).Encode(reply)
	}
}

type object map[string]any

func (v *fakeVault) answer(r *http.Request, body []byte) (int, object) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	part, name, _ := strings.Cut(strings.TrimPrefix(path, "secret/"), "/")
	switch {
	case path == "sys/health":
		return 200, object{"initialized": true, "version": "1.15.0", "enterprise": false}
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		return 200, object{"data": object{"type": "kv", "path": "secret/", "options": object{"version": "2"}}}
	case path == "secret/config":
		return 200, object{"data": object{"delete_version_after": v.deleteAfter}}
	case part == "metadata" && r.URL.Query().Get("list") != "":
		return v.list(name)
	case part == "metadata":
		return 204, nil
	case part == "data" && r.Method == http.MethodGet:
		return v.read(name, r.URL.Query().Get("version"))
	case part == "data" && r.Method == http.MethodPut:
		return v.write(name, body)
	case part == "destroy":
		return v.destroy(name, body)
	}
	return 403, object{"errors": []string{"permission denied"}}
}

// remove removes a secret with all its versions, as a person does.
func (v *fakeVault) remove(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.secretsOf, name)
}

func (v *fakeVault) list(folder string) (int, object) {
	folder = strings.TrimSuffix(folder, "/") + "/"
	keys := map[string]bool{}
	for name := range v.secretsOf {
		rest, in := strings.CutPrefix(name, folder)
		if key, _, deeper := strings.Cut(rest, "/"); in && deeper {
			keys[key+"/"] = true
		} else if in {
			keys[key] = true
		}
	}
	if len(keys) == 0 {
		return 404, object{"errors": []string{}}
	}
	return 200, object{"data": object{"keys": slices.Sorted(maps.Keys(keys))}}
}

func (v *fakeVault) read(name, version string) (int, object) {
	all := v.secretsOf[name]
	n := len(all)
	if asked, err := strconv.Atoi(version); err == nil && asked > 0 {
		n = asked
	}
	if n < 1 || n > len(all) {
		return 404, object{"errors": []string{}}
	}
	metadata := object{"version": n, "created_time": all[n-1].created.Format(time.RFC3339Nano), "deletion_time": ""}
	if all[n-1].data == nil {
		return 404, object{"data": object{"data": nil, "metadata": metadata}}
	}
	return 200, object{"data": object{"data": all[n-1].data, "metadata": metadata}}
}

func (v *fakeVault) write(name string, body []byte) (int, object) {
	var in struct {
		Options struct{ CAS int }
		Data    map[string]any
	}
	if json.Unmarshal(body, &in) != nil || in.Options.CAS != len(v.secretsOf[name]) {
		return 400, object{"errors": []string{"check-and-set parameter did not match the current version"}}
	}
	v.secretsOf[name] = append(v.secretsOf[name], kv{in.Data, v.now()})
	return 200, object{"data": object{"version": len(v.secretsOf[name]), "created_time": v.now().Format(time.RFC3339Nano)}}
}

func (v *fakeVault) destroy(name string, body []byte) (int, object) {
	var in struct{ Versions []int }
	_ = json.Unmarshal(body, &in)
	for _, n := range in.Versions {
		if n >= 1 && n <= len(v.secretsOf[name]) {
			v.secretsOf[name][n-1].data = nil
		}
	}
	return 204, nil
}
