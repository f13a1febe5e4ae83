package command

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"example.com/tokenstore/integration/internal/need"
)

// TestIncidentDrill goes through docs/operations.md on real servers, each step one
// command: who holds a leaked refresh token; rotate it by hand; delete one user; restore a
// token that was deleted by mistake from the backup; change a client's secret everywhere;
// move everything to the other cloud, and compare.
func TestIncidentDrill(t *testing.T) {
	program := need.Command(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stores := map[string]string{}
	for name, store := range servers {
		stores[name] = store(t)
	}
	for from, to := range map[string]string{"localstack": "vault", "vault": "localstack"} {
		t.Run(from, func(t *testing.T) {
			here, there := below(stores[from], "drill"), below(stores[to], "drilled")
			d := drill{t: t, program: program}
			d.step("", 3, "nothing of a store", "status", here, "--quiet")
			d.step("", 0, "5 created", "import", source, "--to", here, "--keep-ids")
			d.step("", 0, "tokens", "status", here, "--deep")
			d.step("1000.fake-refresh-0001", 0, "amelia.burrows@zylker.com", "find", here, "--refresh-token-stdin")
			d.step("1000.fake-refresh-new", 0, "1 set", "set", here, "1", "refresh_token")
			d.step("1000.fake-refresh-0001", 3, "not found", "find", here, "--refresh-token-stdin")
			d.step("1000.fake-refresh-new", 0, "amelia.burrows@zylker.com", "find", here, "--refresh-token-stdin")
			file := filepath.Join(t.TempDir(), "tokens.backup")
			d.step("", 0, "5 tokens backed up", "backup", here, file, "--recipient", identity.Recipient().String())
			d.step("", 0, "1 deleted", "delete", here, "--user", "o'brien@zylker.eu:20098765432", "--yes")
			d.step("", 3, "not there", "delete", here, "--user", "o'brien@zylker.eu:20098765432", "--yes")
			const mistaken = "学院@zylker.jp:7"
			d.step("", 0, "1 deleted", "delete", here, "--user", mistaken, "--yes")
			d.step("1000.fake-refresh-0005", 3, "not found", "find", here, "--refresh-token-stdin")
			d.step("", 0, "1 row: 1 created", "restore", file, here, "--identity", key, "--user", mistaken)
			d.step("1000.fake-refresh-0005", 0, mistaken, "find", here, "--refresh-token-stdin")
			const client = "1000.CLIENTDDDDDDDDDDDDDDDDDDDDDDDD"
			d.step("cs-fake-new", 0, "1 token: 1 set", "set", here, "--client", client, "client_secret", "--yes")
			d.step("cs-fake-new", 0, "1 has it already", "set", here, "--client", client, "client_secret", "--yes")
			d.step("", 0, "4 created", "import", here, "--to", there)
			d.step("", 0, "4 same", "compare", here, there)
			d.step("https://www.zohoapis.in", 0, "1 set", "set", here, "5", "api_domain")
			d.step("", 4, "3 same, 1 differs", "compare", here, there)
			d.step("", 0, "", "doctor", here)
			d.step("", 0, "", "doctor", there, "--role", "writer")
		})
	}
}

// TestDoctorOnRealServers: it says nothing of a healthy store, and leaves nothing; of a client
// secret that was pasted with a blank it says so, and mends it.
func TestDoctorOnRealServers(t *testing.T) {
	program := need.Command(t)
	pasted := filepath.Join(t.TempDir(), "pasted.txt")
	const rows = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,ada,C,cs-fake ,fake-refresh,fake-access,,1763900000000,,\n"
	if err := os.WriteFile(pasted, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, store := range servers {
		t.Run(name, func(t *testing.T) {
			here := below(store(t), "doctor")
			d := drill{t: t, program: program}
			d.step("", 3, "nothing of a store", "doctor", here)
			d.step("", 0, "1 created", "import", "file:"+pasted, "--to", here)
			d.step("", 4, "white-space", "doctor", here)
			d.step("", 0, "mended", "doctor", here, "--repair", "--yes")
			for _, role := range []string{"operator", "writer", "reader"} {
				d.step("", 0, "[]", "doctor", here, "--role", role, "--json")
			}
		})
	}
}

// drill runs the command as a person would.
type drill struct {
	t       *testing.T
	program string
}

// step runs a command with one line of standard input, and fails unless it ends with this
// exit code and says something. Credentials must never be shown.
func (d drill) step(stdin string, code int, says string, arguments ...string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.program, arguments...) // #nosec G204 -- built by the test.
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	got := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		d.t.Fatal(err)
	}
	if got != code || !strings.Contains(string(out), says) || strings.Contains(string(out), "fake-") {
		d.t.Errorf("%s: exit code %d, want %d and %q\n%s", arguments[0], got, code, says, out)
	}
}

// below returns the URL of a store below the prefix of another.
func below(url, folder string) string {
	place, parameters, has := strings.Cut(url, "?")
	place = strings.TrimSuffix(place, "/") + "/" + folder
	if has {
		place += "?" + parameters
	}
	return place
}
