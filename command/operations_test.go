// The manual: every example of docs/operations.md is run, in order, and prints what is there.

package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/gcpsm/gcpsmtest"
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

// manualClouds leads the URLs of the manual to simulated services. A token of the prefix billing
// has used up the versions of a day, and one of the prefix crm is deleted.
func manualClouds(t *testing.T) *strings.Replacer {
	t.Helper()
	aws := awssmtest.New(awssmtest.Config{Versions: 100, Labels: 20, Size: 65536, ReserveNames: true, RequestTokens: true}, awssmtest.NewClock())
	google := gcpsmtest.New(gcpsmtest.Config{}, gcpsmtest.NewClock())
	deletedOnAWS(t, aws, "17")
	at := "region=eu-west-1&" + awsEndpoint(t, aws.As(manualActions...))
	store, err := tokenstore.Open(t.Context(), "awssm://billing?"+at)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; err == nil; n++ {
		_, err = store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "7", UserName: "billing@zylker.com:60001234567", ClientID: "1000.CLIENT", ClientSecret: "s",
			RefreshToken: "1000.fake-refresh-0007", AccessToken: fmt.Sprint("1000.fake-access-", n), Expiry: manualNow().Add(2 * time.Hour)})
	}
	if !errors.Is(err, tokenstore.ErrQuota) {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	return strings.NewReplacer("region=eu-west-1'", at+"'",
		"gcpsm://my-project/crm", "gcpsm://my-project/crm?"+googleEndpoint(t, google.As(manualPermissions...)))
}

// What an operator may do.
var (
	manualActions = []string{"secretsmanager:BatchGetSecretValue", "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
		"secretsmanager:GetSecretValue", "secretsmanager:ListSecrets", "secretsmanager:PutSecretValue", "secretsmanager:RestoreSecret", "secretsmanager:UpdateSecretVersionStage"}
	manualPermissions = []string{"secretmanager.secrets.create", "secretmanager.secrets.delete", "secretmanager.secrets.get", "secretmanager.secrets.list",
		"secretmanager.secrets.update", "secretmanager.versions.access", "secretmanager.versions.add", "secretmanager.versions.destroy",
		"secretmanager.versions.enable"}
)

// manualNow is when the manual was written.
func manualNow() time.Time { return time.UnixMilli(1763899000000) }

// codes matches a constant that is the code of a finding.
var codes = regexp.MustCompile(`(?m)^\s+[cC]ode[A-Za-z]+\s+= "([a-z-]+)"`)

// TestTheManualHasEveryCode looks for what doctor may report in the manual.
func TestTheManualHasEveryCode(t *testing.T) {
	manual, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range faults {
		all = append(all, f.code)
	}
	for _, name := range []string{"../diagnose.go", "../secretstore/findings.go", "../sqlstore/diagnose.go", "../internal/filecheck/filecheck.go", "doctor_rows.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := codes.FindAllStringSubmatch(string(source), -1)
		if len(found) == 0 {
			t.Errorf("no code in %s", name)
		}
		for _, m := range found {
			all = append(all, m[1])
		}
	}
	for _, code := range all {
		if !strings.HasSuffix(code, "-") && !strings.Contains(string(manual), "`"+code+"`") {
			t.Errorf("the manual does not have %s", code)
		}
	}
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
		"secret.txt": "cs-fake-new\n", "pasted.txt": strings.Replace(string(sdk), "1000.fake-refresh-0001", "1000.fake-refresh-0001 ", 1), "domain.txt": "https://www.zohoapis.in\n",
		"token.json": `{"user_name": "maria@zylker.com:60001234567", "client_id": "1000.CLIENTA", "client_secret": "cs-fake", "refresh_token": "1000.fake-refresh-put"}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys(t)
	if code, _, errs := try(t, "", "import", "file:sdk.txt", "--to", "sqlite:tokens.db"); code != exitOK {
		t.Fatal(errs)
	}
	clouds := manualClouds(t)
	code, ran := 0, 0
	command := func(line string) string {
		ran++
		if line == "echo $?" {
			return fmt.Sprintln(code)
		}
		args := words(clouds.Replace(line))
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
			Now:      manualNow,
			Redeemer: renewing{}, Revoke: revokesNothing,
		}.Run(t.Context(), args[1:])
		if strings.Contains(screen.String(), "fake-") || strings.Contains(screen.String(), "AGE-SECRET-KEY-") {
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
