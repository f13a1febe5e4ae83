package gcpsm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// others are what only other stores need.
var others = []string{
	"github.com/aws/", "github.com/hashicorp/vault", "modernc.org/",
	"github.com/spf13/", "github.com/schollz/", "github.com/gofrs/", "pgregory.net/", "github.com/anishathalye/",
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

// TestConsumer makes a module that imports gcpsm only: it links none of the
// other stores' packages, and its go.mod names none of their modules.
func TestConsumer(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := "package main\n\nimport _ \"example.com/tokenstore/gcpsm\"\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	goCommand(t, dir, "mod", "init", "example.com/consumer")
	goCommand(t, dir, "mod", "edit", "-require=example.com/tokenstore@v0.0.0", "-replace=example.com/tokenstore="+root)
	// No "mod tidy": it would ask for modules that only tests of Google's need.
	packages := goCommand(t, dir, "list", "-deps", ".")
	modules, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if strings.Contains(packages, other) {
			t.Errorf("the program links packages of %s", other)
		}
		if strings.Contains(string(modules), other) {
			t.Errorf("its go.mod names modules of %s", other)
		}
	}
	if !strings.Contains(packages, "cloud.google.com/go/secretmanager/apiv1") {
		t.Error("the program does not link the service's client")
	}
}
