// The manual: every example of docs/operations.md is run, in order, and prints what is there.

package command

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
)

var update = flag.Bool("update", false, "write the outputs of the examples into docs/operations.md")

// renewing is a provider that gives every token a new access token.
type renewing struct{}

func (renewing) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{AccessToken: "1000.fake-access-new"}, nil
}

func revokesNothing(context.Context, tokenstore.OAuthToken) error { return nil }

// words splits a command line as a shell does, as far as the manual needs it.
func words(line string) (all []string) {
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	return all
}

func TestEveryExampleOfTheManual(t *testing.T) {
	path, err := filepath.Abs("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := os.ReadFile(pythonFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"sdk.txt": string(sdk), "leaked.txt": "1000.fake-refresh-0001\n", "new-refresh-token.txt": "1000.fake-refresh-new\n",
		"secret.txt": "cs-fake-new\n", "domain.txt": "https://www.zohoapis.in\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errs := try(t, "", "import", "file:sdk.txt", "--to", "sqlite:tokens.db"); code != exitOK {
		t.Fatal(errs)
	}
	code, ran := 0, 0
	command := func(line string) string {
		ran++
		if line == "echo $?" {
			return fmt.Sprintln(code)
		}
		args := words(line)
		if len(args) == 0 || args[0] != "tokenstore" {
			t.Errorf("%q is not a command of this test", line)
			return ""
		}
		var stdin []byte
		if n := len(args); n > 2 && args[n-2] == "<" {
			if stdin, err = os.ReadFile(args[n-1]); err != nil {
				t.Error(err)
			}
			args = args[:n-2]
		}
		var screen bytes.Buffer
		code = Command{
			Stdin: bytes.NewReader(stdin), Stdout: &screen, Stderr: &screen,
			Now:      func() time.Time { return time.UnixMilli(1763899000000) },
			Redeemer: renewing{}, Revoke: revokesNothing,
		}.Run(t.Context(), args[1:])
		if strings.Contains(screen.String(), "fake-") {
			t.Errorf("%s shows a credential", line)
		}
		return screen.String()
	}
	var got strings.Builder
	inside := false
	for line := range strings.Lines(string(manual)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			line += command(strings.TrimSpace(line[2:]))
		case inside:
			continue // It is printed again.
		}
		got.WriteString(line)
	}
	if ran < 15 {
		t.Errorf("only %d examples", ran)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(manual), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("line %d of the manual is no longer what the command prints; it is\n%s\n(go test ./command -run Manual -update writes it)", i+1, line)
		}
	}
}
