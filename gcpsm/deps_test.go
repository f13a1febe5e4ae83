package gcpsm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestConsumer makes a module that imports gcpsm only: it links none of the other
// stores' packages, and a go.mod that names none of their modules is all it needs.
//
// It asks for nothing that "go test" has not downloaded: neither "mod tidy" nor
// -mod=mod, which read what only tests of Google's modules need.
func TestConsumer(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const format = "{{with .Module}}{{if not .Main}}-require={{.Path}}@{{.Version}}{{end}}{{end}}"
	linked := strings.Fields(goCommand(t, root, "list", "-deps", "-f", format, "./gcpsm"))
	slices.Sort(linked)
	dir := t.TempDir()
	program := "package main\n\nimport _ \"example.com/tokenstore/gcpsm\"\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	goCommand(t, dir, "mod", "init", "example.com/consumer")
	goCommand(t, dir, append([]string{
		"mod", "edit", "-require=example.com/tokenstore@v0.0.0", "-replace=example.com/tokenstore=" + root,
	}, slices.Compact(linked)...)...)
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
