package command

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// TestPoliciesOfTheGuides: the services' pages show the policies that the command prints.
func TestPoliciesOfTheGuides(t *testing.T) {
	shown := 0
	for _, page := range []string{"../docs/aws.md", "../docs/vault.md", "../docs/gcp.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		printed := false // what follows is the output of a command
		for line := range strings.Lines(string(text)) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ tokenstore policy ")
			switch {
			case ok:
				shown++
				code, out, errs := try(t, "", append([]string{"policy"}, words(command)...)...)
				if code != exitOK {
					t.Errorf("%s: exit code %d\n%s", command, code, errs)
				}
				line += out
				printed = true
			case strings.HasPrefix(line, "```"):
				printed = false
			case printed:
				continue
			}
			_, _ = got.WriteString(line)
		}
		if *update {
			err = os.WriteFile(page, []byte(got.String()), 0o600)
		} else if got.String() != string(text) {
			err = errors.New("it shows another policy than the command prints (go test ./command -run Guides -update writes it)")
		}
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
	if shown < 3 {
		t.Errorf("only %d policies are shown", shown)
	}
}

// TestPolicy: the policy goes to standard output, and what it leaves open to standard error.
// Nothing is opened, and no credentials are needed.
func TestPolicy(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_REGION", "VAULT_TOKEN", "VAULT_ADDR", "GOOGLE_APPLICATION_CREDENTIALS"} {
		t.Setenv(name, "")
	}
	for _, c := range []struct {
		args            []string
		code            int
		prints, remarks string
	}{
		{[]string{"awssm://crm?region=eu-west-1", "--role", "reader"}, exitOK, `"Resource": "arn:aws:secretsmanager:eu-west-1:*:secret:crm/*"`, "note: the policy does not name the account"},
		{[]string{"awssm://crm?region=eu-west-1", "--role", "reader", "--account", "123456789012"}, exitOK, `:123456789012:secret:crm/*"`, ""},
		{[]string{"awssm://crm?region=eu-west-1", "--role", "reader", "--account", "fake-access"}, exitUsage, "", "a number of 12 digits"},
		{[]string{"awssm://crm", "--role", "reader"}, exitUsage, "", "no region"},
		{[]string{"vault://secret/crm?namespace=apps", "--role", "writer"}, exitOK, `path "secret/data/crm/*" {`, "vault policy write -namespace=apps"},
		{[]string{"vault:///crm?mount=team/kv", "--role", "operator"}, exitOK, `path "team/kv/config" {`, ""},
		{[]string{"vault:///crm?mount=a%22b", "--role", "operator"}, exitUsage, "", "the mount"},
		{[]string{"vault:///a%20b%22%0Ac?mount=kv", "--role", "reader"}, exitOK, `path "kv/data/a=20b=22=0ac/*" {`, ""},
		{[]string{"vault://secret/crm", "--role", "writer", "--account", "x"}, exitUsage, "", "leave it out"},
		{[]string{"gcpsm://my-project/crm", "--role", "operator"}, exitOK, "secretmanager.secrets.list", "no condition limits secretmanager.secrets.create and secretmanager.secrets.list"},
		{[]string{"mysql://db/zohooauth?user=app", "--role", "writer", "--account", "crm@10.0.%"}, exitOK, "ON `zohooauth`.`oauthtoken` TO 'crm'@'10.0.%';\n", "the tables must exist"},
		{[]string{"mysql://db/a%60b?user=app&upgrade=true", "--role", "operator"}, exitOK, "INDEX, ALTER ON `a``b`.`oauthtoken` TO 'app'@'%';\n", "from any host"},
		{[]string{"mysql://db/zohooauth?user=app", "--role", "writer", "--account", "a'b"}, exitUsage, "", "user@host"},
		{[]string{"file:a'b.txt", "--role", "reader", "--account", "staff"}, exitOK, "\nchgrp staff -- 'a'\\''b.txt'\nchmod 640 -- 'a'\\''b.txt'\n", "every credential"},
		{[]string{"file:tokens.txt", "--role", "writer"}, exitOK, "\nchmod 600 -- 'tokens.txt'\n", "its folder"},
		{[]string{"file:tokens.txt", "--role", "writer", "--account", "x;y"}, exitUsage, "", "the name of a group"},
		{[]string{"file:tokens.txt?fake=1", "--role", "writer"}, exitUsage, "", "unknown parameter"},
		{[]string{"sqlite:tokens.db", "--role", "reader"}, exitOK, "\nchmod 640 -- 'tokens.db'\n", "WAL"},
		{[]string{"sqlite::memory:", "--role", "reader"}, exitUsage, "", "in memory"},
		{[]string{"memory:", "--role", "reader"}, exitUsage, "", "no rights that could be granted"},
		{[]string{"tokens.txt", "--role", "reader"}, exitUsage, "", "file:tokens.txt"},
		{[]string{"memory:"}, exitUsage, "", "--role is missing; it is one of reader, writer, operator"},
		{[]string{"vault://secret/crm", "--role", "fake-access"}, exitUsage, "", "the roles are reader, writer, operator"},
	} {
		code, out, errs := try(t, "", append([]string{"policy"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.prints) || !strings.Contains(errs, c.remarks) || c.code != exitOK && out != "" || c.code == exitOK && c.remarks == "" && errs != "" {
			t.Errorf("%v: exit code %d\n%s%s", c.args, code, out, errs)
		}
		code, out, _ = try(t, "", append(append([]string{"policy"}, c.args...), "--json")...)
		var report struct {
			Role, Policy string
			Remarks      []string
		}
		if c.code == exitOK && (json.Unmarshal([]byte(out), &report) != nil || code != exitOK || report.Role != c.args[2] || !strings.Contains(report.Policy, c.prints) || report.Remarks == nil) {
			t.Errorf("%v --json: exit code %d\n%s", c.args, code, out)
		}
	}
	if made, err := filepath.Glob("*"); err != nil || len(made) > 0 {
		t.Errorf("%v was made, %v", made, err)
	}
}

func keptPolicy(_ context.Context, _ *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	return tokenstore.Policy{Text: "allow " + request.Account + " " + string(request.Role) + "\n", Remarks: []string{"and no more"}}, nil
}

// TestPolicyOfAnotherProgramsStore: a scheme of somebody else offers policies by registering
// them.
func TestPolicyOfAnotherProgramsStore(t *testing.T) {
	at, _ := kept(t, nil)
	if code, _, errs := try(t, "", "policy", at, "--role", "reader"); code != exitUsage || !strings.Contains(errs, "no rights") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	tokenstore.RegisterPolicy("kept", keptPolicy)
	defer tokenstore.RegisterPolicy("kept", nil)
	if code, out, errs := try(t, "", "policy", at, "--role", "writer", "--account", "us"); code != exitOK || out != "allow us writer\n" || errs != "note: and no more\n" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
