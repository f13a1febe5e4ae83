// The table of the roles in docs/operations.md: each verb is done by its role, and not by the
// one before it, on simulated services with the rights that the policy verb prints.

package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// workOf is an example of each verb that the table names, on a store with the tokens of the
// Python SDK: its arguments and standard input. Those that change it come after those that
// look at what they change.
var workOf = []struct {
	verb  string
	args  string
	stdin string
	on    string // the only service that keeps what the verb needs
}{
	{verb: "list", args: "STORE"},
	{verb: "find", args: "STORE --user amelia.burrows@zylker.com:60001234567"},
	{verb: "get", args: "STORE 1"},
	{verb: "status", args: "STORE"},
	{verb: "compare", args: "STORE FILE"},
	{verb: "import from", args: "import STORE --to memory:"},
	{verb: "backup", args: "STORE NEW --plain --yes --force"},
	{verb: "doctor --role reader", args: "doctor STORE --role reader"},
	{verb: "import to", args: "import OTHER --to STORE"},
	{verb: "put", args: "STORE", stdin: `{"user_name": "put@zylker.example:9", "client_id": "1000.C", "client_secret": "s", "refresh_token": "1000.r8"}`},
	{verb: "restore", args: "BACKUP STORE"},
	{verb: "doctor --role writer", args: "doctor STORE --role writer"},
	{verb: "set", args: "STORE 1 refresh_token", stdin: "1000.fake-refresh-new"},
	{verb: "refresh", args: "STORE 1"},
	{verb: "delete", args: "STORE 2 --yes"},
	{verb: "undelete", args: "STORE 17", on: "AWS"},
	{verb: "revoke", args: "STORE 1 --yes"},
	{verb: "status --deep", args: "status STORE --deep"},
	{verb: "check", args: "STORE"},
	{verb: "reindex", args: "STORE"},
	{verb: "doctor", args: "STORE"},
	{verb: "delete-all", args: "STORE --yes"},
}

// rolesOfVerbs reads the table.
func rolesOfVerbs(t *testing.T) map[string]tokenstore.Role {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]tokenstore.Role{}
	for _, role := range tokenstore.Roles() {
		_, row, ok := strings.Cut(string(text), "\n| **"+string(role)+"** |")
		if !ok {
			t.Fatalf("no row of the %s", role)
		}
		row, _, _ = strings.Cut(row, "\n")
		for _, verb := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row, -1) {
			all[verb[1]] = role
		}
	}
	return all
}

// TestEveryVerbHasARole in the table, and an example here.
func TestEveryVerbHasARole(t *testing.T) {
	roles := rolesOfVerbs(t)
	for _, verb := range (Command{}).withDefaults().root().Commands() {
		if !strings.Contains(verb.Use, "STORE") || verb.Name() == "policy" { // It opens no store.
			continue
		}
		if !slices.ContainsFunc(workOf, func(w struct{ verb, args, stdin, on string }) bool { return strings.Fields(w.verb)[0] == verb.Name() }) {
			t.Errorf("%s has no example", verb.Name())
		}
	}
	for _, w := range workOf {
		if roles[w.verb] == "" {
			t.Errorf("%s is in no row of the table in docs/operations.md", w.verb)
		}
		delete(roles, w.verb)
	}
	if len(roles) > 0 {
		t.Errorf("the table has what is no verb: %v", roles)
	}
}

// cloud is a simulated service with principals for the roles.
type cloud struct {
	admin string
	as    map[tokenstore.Role]string
}

func awsWithRoles(t *testing.T) cloud {
	t.Helper()
	service := awssmtest.New(awssmtest.Config{ReserveNames: true, RequestTokens: true}, awssmtest.NewClock())
	deletedOnAWS(t, service, "17")
	const at = "awssm://crm?region=eu-central-1&"
	c := cloud{at + awsEndpoint(t, service.As(manualActions...)), map[tokenstore.Role]string{}}
	for _, role := range tokenstore.Roles() {
		var policy struct{ Statement []struct{ Action []string } }
		var all []string
		if err := json.Unmarshal([]byte(printed(t, at, role)), &policy); err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			all = append(all, s.Action...)
		}
		c.as[role] = at + awsEndpoint(t, service.As(all...))
	}
	return c
}

func googleWithRoles(t *testing.T) cloud {
	t.Helper()
	service := gcpsmtest.New(gcpsmtest.Config{}, gcpsmtest.NewClock())
	const at = "gcpsm://my-project/crm?"
	c := cloud{at + googleEndpoint(t, service.As(manualPermissions...)), map[tokenstore.Role]string{}}
	for _, role := range tokenstore.Roles() {
		list := regexp.MustCompile(`--permissions=(\S+)`).FindStringSubmatch(printed(t, at, role))
		c.as[role] = at + googleEndpoint(t, service.As(strings.Split(list[1], ",")...).On("crm--"))
	}
	return c
}

// printed returns the policy of a role.
func printed(t *testing.T, at string, role tokenstore.Role) string {
	t.Helper()
	code, out, errs := try(t, "", "policy", at, "--role", string(role))
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	return out
}

// TestRoles runs each verb as each role, in the order of the examples, on one store: with the
// roles of the table it succeeds, and with the others something is denied.
func TestRoles(t *testing.T) {
	roles := rolesOfVerbs(t)
	file := "file:" + fixture(t, pythonFile)
	other := source(t, "other.csv", "user_name,client_id,client_secret,refresh_token\nnobody@zylker.example:9,1000.C,s,1000.r9\n")
	folder := t.TempDir()
	backup, one := filepath.Join(folder, "one.backup"), "file:"+filepath.Join(folder, "one.txt")
	for _, args := range [][]string{{"put", one, "--create"}, {"backup", one, backup, "--plain", "--yes"}} {
		if code, _, errs := try(t, `{"id": "9", "user_name": "restored@zylker.example:9", "client_id": "1000.C", "client_secret": "s", "refresh_token": "1000.r7"}`, args...); code != exitOK {
			t.Fatal(errs)
		}
	}
	for name, service := range map[string]func(*testing.T) cloud{"AWS": awsWithRoles, "Google": googleWithRoles} {
		t.Run(name, func(t *testing.T) {
			c := service(t)
			if code, _, errs := try(t, "", "import", file, "--to", c.admin, "--keep-ids"); code != exitOK {
				t.Fatal(errs)
			}
			for _, w := range workOf {
				if w.on != "" && w.on != name {
					continue
				}
				for have, role := range tokenstore.Roles() {
					args := words(strings.NewReplacer("STORE", c.as[role], "FILE", file, "OTHER", other, "BACKUP", backup, "NEW", filepath.Join(folder, "new.backup")).Replace(w.args))
					if args[0] != strings.Fields(w.verb)[0] {
						args = append([]string{w.verb}, args...)
					}
					var screen bytes.Buffer
					code := Command{Stdin: strings.NewReader(w.stdin), Stdout: &screen, Stderr: &screen, Redeemer: renewing{}, Revoke: revokesNothing}.Run(t.Context(), args)
					may := have >= slices.Index(tokenstore.Roles(), roles[w.verb])
					if denied := strings.Contains(screen.String(), "denied"); may == denied || may && code == exitFault || !may && code == exitOK {
						t.Errorf("%s as %s: exit code %d\n%s", w.verb, role, code, screen.String())
					}
				}
			}
		})
	}
}
