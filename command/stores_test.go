package command

import (
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	_ "example.com/tokenstore/command/stores"
	"example.com/tokenstore/secretstore"
)

// run runs the command with streams of a test.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Command{Stdin: stdin, Stdout: stdout, Stderr: stderr}.Run(ctx, args)
}

// TestNoSchemeIsWrittenDown: what the command knows of stores, their packages say.
func TestNoSchemeIsWrittenDown(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		_, code, _ := strings.Cut(string(text), "\npackage command\n") // The package comment has an example.
		for _, scheme := range []string{"file:", "sqlite:", "mysql:", "mariadb:", "memory:", "awssm:", "gcpsm:", "vault:"} {
			if strings.Contains(code, scheme) {
				t.Errorf("%s names %s", name, scheme)
			}
		}
	}
}

// TestAnotherProgramsCommand has a name, a version and a store of its own.
func TestAnotherProgramsCommand(t *testing.T) {
	tokenstore.Register("etcd", func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return secretstore.NewMemory(), nil })
	tokenstore.Describe("etcd", tokenstore.Usage{Example: "etcd://HOST/PREFIX", About: "a store of the future"})
	var out, errs strings.Builder
	c := Command{Name: "etcdtokens", Version: "v9", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	if code := c.Run(t.Context(), []string{"--version"}); code != exitOK || out.String() != "etcdtokens version v9\n" {
		t.Errorf("exit code %d: %q", code, out.String())
	}
	if code := c.Run(t.Context(), []string{"list"}); code != exitUsage || !strings.HasPrefix(errs.String(), "etcdtokens: ") || !strings.Contains(errs.String(), "'etcdtokens --help'") {
		t.Errorf("exit code %d: %q", code, errs.String())
	}
	for _, verb := range c.withDefaults().root().Commands() {
		if out.Reset(); c.Run(t.Context(), []string{verb.Name(), "--help"}) != exitOK {
			t.Errorf("%s has no help", verb.Name())
		}
		if _, examples, ok := strings.Cut(out.String(), "Examples:\n"); !ok || !strings.HasPrefix(examples, "  etcdtokens "+verb.Name()) || strings.Contains(examples, "{") {
			t.Errorf("the help of %s has no examples of this program:\n%s", verb.Name(), out.String())
		}
	}
}
