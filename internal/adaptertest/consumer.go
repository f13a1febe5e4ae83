// A test of what a program that uses one store has to download and link.

package adaptertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Consumer is a program that imports only one store of this module.
type Consumer struct {
	// Package is the store's folder, Client a package of the service's client.
	Package, Client string
	// Own, if not empty, are the prefixes of all packages outside the standard library
	// that the program may link.
	Own []string
	// Others are prefixes of the packages and modules that only other stores need. This
	// module's go.mod must name the modules among them.
	Others []string
}

// Run makes a module of that program and checks that it links nothing of the other stores,
// and builds with a go.mod without their modules.
//
// It needs no module that "go test" does not download. "go mod tidy" and -mod=mod would:
// they read the go.mod files of modules that only tests of other modules need.
func (c Consumer) Run(t *testing.T) {
	t.Helper()
	const module = "example.com/tokenstore"
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const format = "{{with .Module}}{{if not .Main}}-require={{.Path}}@{{.Version}}{{end}}{{end}}"
	linked := strings.Fields(goCommand(t, root, "list", "-deps", "-f", format, "./"+c.Package))
	slices.Sort(linked)
	dir := t.TempDir()
	sums := read(t, filepath.Join(root, "go.sum"))
	program := "package main\n\nimport _ \"" + module + "/" + c.Package + "\"\n\nfunc main() {}\n"
	for name, text := range map[string]string{"main.go": program, "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goCommand(t, dir, "mod", "init", "example.com/consumer")
	edit := []string{"mod", "edit", "-require=" + module + "@v0.0.0", "-replace=" + module + "=" + root}
	goCommand(t, dir, append(edit, slices.Compact(linked)...)...)
	packages := strings.Fields(goCommand(t, dir, "list", "-deps", "."))
	for _, path := range packages {
		if host, _, _ := strings.Cut(path, "/"); strings.Contains(host, ".") && !c.mayHave(path) {
			t.Errorf("the program links package %s", path)
		}
	}
	for line := range strings.Lines(read(t, filepath.Join(dir, "go.mod"))) {
		path, _, isModule := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "require "), " v")
		if isModule && !c.mayHave(path) {
			t.Errorf("its go.mod names module %s", path)
		}
	}
	if !slices.Contains(packages, c.Client) {
		t.Error("the program does not link the service's client")
	}
	c.othersAreThere(t, read(t, filepath.Join(root, "go.mod")))
}

// mayHave reports whether the program may use a package or module.
func (c Consumer) mayHave(path string) bool {
	in := func(prefix string) bool { return strings.HasPrefix(path+"/", prefix) }
	return !slices.ContainsFunc(c.Others, in) && (len(c.Own) == 0 || slices.ContainsFunc(c.Own, in))
}

// othersAreThere checks that this module does have the modules that a consumer must not
// get.
func (c Consumer) othersAreThere(t *testing.T, modules string) {
	t.Helper()
	for _, other := range c.Others {
		if !strings.Contains(modules, other) {
			t.Errorf("this module's go.mod does not name %s", other)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // The arguments are those of this file.
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
