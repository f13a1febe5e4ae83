// Package command follows the README and the pages of docs with the command and real
// servers, as a new user does.
package command

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/tokenstore/integration/internal/need"
)

func TestMain(m *testing.M) { os.Exit(need.Main(m)) }

// source is a token file that the SDK for Python has written.
const source = "file:../../filestore/testdata/python-sdk-8.0-filestore.txt"

// servers are the secret managers, each with a function that returns the URL of a new,
// empty store there.
var servers = map[string]func(t *testing.T) string{
	"localstack": func(t *testing.T) string {
		t.Setenv("AWS_ACCESS_KEY_ID", "test")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
		return "awssm://" + need.Prefix(t) + "?region=eu-central-1&endpoint=" + url.QueryEscape(need.AWS(t))
	},
	"vault": func(t *testing.T) string {
		address, token := need.Vault(t)
		t.Setenv("VAULT_ADDR", address)
		t.Setenv("VAULT_TOKEN", token)
		return "vault://secret/" + need.Prefix(t)
	},
}

// TestImport imports the SDK's file into a secret manager, twice, and finds the tokens
// again.
func TestImport(t *testing.T) {
	program := need.Command(t)
	for name, store := range servers {
		t.Run(name, func(t *testing.T) {
			to := store(t)
			run := func(arguments ...string) string {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- built above.
				var complaints strings.Builder
				cmd.Stderr = &complaints
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v\n%s%s", arguments[0], err, out, complaints.String())
				}
				return string(out)
			}
			for _, outcome := range []string{"5 rows: 5 created", "5 rows: 5 already there"} {
				out := run("import", source, "--to", to)
				if !strings.Contains(out, outcome) || !strings.Contains(out, "19 finds by every key of every token: 19 as moved, 0 not") {
					t.Errorf("import prints\n%s", out)
				}
			}
			var all []json.RawMessage
			if err := json.Unmarshal([]byte(run("list", "--json", to)), &all); err != nil || len(all) != 5 {
				t.Errorf("%d tokens are listed, %v", len(all), err)
			}
			const user = "amelia.burrows@zylker.com:60001234567"
			if out := run("find", to, "--user", user); !strings.Contains(out, user) {
				t.Errorf("find prints\n%s", out)
			}
			if out := run("check", to); strings.Contains(out, "1000.") {
				t.Error("check shows a credential")
			}
		})
	}
}
