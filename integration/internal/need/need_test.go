package need

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// recorder is a testing.TB that records how a test ended, and ends it with a panic.
type recorder struct {
	testing.TB
	ended, message string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "Recorder/ÄSub Test" }

func (r *recorder) Skip(args ...any) {
	r.ended, r.message = "skip", fmt.Sprint(args...)
	panic(r)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.ended, r.message = "fatal", fmt.Sprintf(format, args...)
	panic(r)
}

// record runs f and returns how it ended.
func record(f func(testing.TB)) (r *recorder) {
	r = &recorder{ended: "return"}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
	}()
	f(r)
	return r
}

func TestMissingServer(t *testing.T) {
	needs := map[string]func(testing.TB){
		EnvVaultBinary: func(t testing.TB) { VaultBinary(t) },
		EnvZohoPython:  func(t testing.TB) { ZohoPython(t) },
		EnvZohoNode:    func(t testing.TB) { ZohoNode(t) },
	}
	for name, f := range needs {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "")
			t.Setenv(EnvRequired, "")
			r := record(f)
			if r.ended != "skip" || !strings.Contains(r.message, name) || strings.Contains(r.message, "\n") {
				t.Errorf("without a server: %s %q, want a skip of one line that names %s", r.ended, r.message, name)
			}
			t.Setenv(EnvRequired, "required")
			if r := record(f); r.ended != "fatal" || !strings.Contains(r.message, name) {
				t.Errorf("required: %s %q, want a failure that names %s", r.ended, r.message, name)
			}
		})
	}
}

// TestNoDocker expects the skip's line to say what is wrong with Docker.
func TestNoDocker(t *testing.T) {
	t.Setenv(EnvAWS, "")
	t.Setenv(EnvRequired, "")
	b := &box{err: fmt.Errorf("%w: %w", errNoDocker, errors.New("permission\ndenied"))}
	b.once.Do(func() {}) // It has been tried.
	r := record(func(t testing.TB) { b.open(t, EnvAWS, "a server") })
	if want := "needs a server, or set " + EnvAWS + ": no Docker engine answers: permission denied"; r.ended != "skip" || r.message != want {
		t.Errorf("%s %q, want a skip with %q", r.ended, r.message, want)
	}
}

func TestPrefix(t *testing.T) {
	r := &recorder{}
	one, two := Prefix(r), Prefix(r)
	if one == two {
		t.Errorf("the same prefix twice: %q", one)
	}
	if !regexp.MustCompile(`^recorder--sub-test-[a-z0-9]{10}/$`).MatchString(one) {
		t.Errorf("prefix %q", one)
	}
}

func TestAWS(t *testing.T) {
	body := get(t, AWS(t)+"/_localstack/health")
	if !strings.Contains(body, `"secretsmanager"`) {
		t.Errorf("LocalStack's health does not name Secrets Manager: %s", body)
	}
}

func TestVault(t *testing.T) {
	address, _ := Vault(t)
	body := get(t, address+"/v1/sys/health")
	if !strings.Contains(body, `"sealed":false`) {
		t.Errorf("Vault's health: %s", body)
	}
}

func TestVaultBinary(t *testing.T) {
	run(t, exec.Command(VaultBinary(t), "version"), "Vault v1.")
}

func TestZohoPython(t *testing.T) {
	run(t, exec.Command(ZohoPython(t), "-c", `
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
print(FileStore.__name__)`), "FileStore")
}

func TestZohoNode(t *testing.T) {
	node, folder := ZohoNode(t)
	cmd := exec.Command(node, "-e", `
import("@zohocrm/nodejs-sdk-8.0/lib/models/authenticator/store/file_store.js").then(
	({ FileStore }) => console.log(FileStore.name));`)
	cmd.Dir = folder
	run(t, cmd, "FileStore")
}

func run(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s, want %q", err, out, want)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, reply.Status, err)
	}
	return string(body)
}
