package awssm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// own is where all comes from that a program with this store only is made of.
var own = []string{"github.com/aws/", "example.com/"}

// others are modules of other stores that the library's go.mod names, and a
// consumer's must not.
var others = []string{
	"cloud.google.com/go/secretmanager", "google.golang.org/grpc", "google.golang.org/api", "google.golang.org/protobuf",
	"github.com/googleapis/gax-go", "github.com/hashicorp/vault/api", "modernc.org/sqlite",
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestConsumer makes a module that imports awssm only: it links none of the
// other stores' packages, and its go.mod names none of their modules.
func TestConsumer(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := "package main\n\nimport _ \"example.com/tokenstore/awssm\"\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	goCommand(t, dir, "mod", "init", "example.com/consumer")
	goCommand(t, dir, "mod", "edit", "-require=example.com/tokenstore@v0.0.0", "-replace=example.com/tokenstore="+root)
	goCommand(t, dir, "mod", "tidy")
	packages := goCommand(t, dir, "list", "-deps", ".")
	modules, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(packages) {
		if host, _, _ := strings.Cut(path, "/"); strings.Contains(host, ".") && !isOwn(path) {
			t.Errorf("the program links package %s", path)
		}
	}
	for line := range strings.Lines(string(modules)) {
		if path := strings.TrimPrefix(strings.TrimSpace(line), "require "); strings.Contains(path, " v") && !isOwn(path) {
			t.Errorf("its go.mod names module %s", path)
		}
	}
	if !strings.Contains(packages, "github.com/aws/aws-sdk-go-v2/service/secretsmanager") {
		t.Error("the program does not link the service's client")
	}
}

func isOwn(path string) bool {
	return slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// TestOthersAreThere makes sure that the modules which a consumer does not get
// are those that the library has.
func TestOthersAreThere(t *testing.T) {
	modules, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if isOwn(other) || !strings.Contains(string(modules), other) {
			t.Errorf("the library's go.mod does not name %s", other)
		}
	}
}
