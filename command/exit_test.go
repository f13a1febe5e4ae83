// Verbs agree on the exit code of what they have in common.

package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const header = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n"

// tokenFile returns the URL of a file of tokens.
func tokenFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

// TestOneTokenThatCannotBeRead beside others that can: every verb that reads all tokens shows
// the others, names it, and ends with 4.
func TestOneTokenThatCannotBeRead(t *testing.T) {
	at := tokenFile(t, header+"1,ada@z.example:1,C,s,r1,a1,,,,\n2,short\n")
	for _, args := range [][]string{
		{"list", at}, {"list", at, "--oldest-first"}, {"list", at, "--user", "ada*"}, {"list", at, "--user", "nobody"},
		{"find", at, "--mail", "ada@z.example"}, {"find", at, "--mail", "nobody@z.example"},
		{"status", at}, {"status", at, "--deep"}, {"check", at}, {"doctor", at}, {"compare", at, at},
		{"backup", at, filepath.Join(t.TempDir(), "backup"), "--plain", "--yes", "--force"},
		{"import", at, "--to", "memory:"}, {"delete-all", at, "--dry-run"},
	} {
		for _, more := range [][]string{nil, {"--json"}} {
			args := append(append([]string{}, args...), more...)
			code, out, errs := try(t, "", args...)
			if code != exitIncomplete || !strings.Contains(out+errs, "unreadable") && !strings.Contains(out, "2 fields") {
				t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, exitIncomplete, out, errs)
			}
			if more != nil && !json.Valid([]byte(out)) {
				t.Errorf("%v prints no JSON: %s", args, out)
			}
		}
	}
	if _, _, errs := try(t, "", "list", at, "--json"); !strings.Contains(errs, `"exit_code": 4`) || !strings.Contains(errs, `"retryable": false`) {
		t.Errorf("list --json says %s", errs)
	}
}

// TestNothingThatCanBeRead is a fault: nobody can tell a list of no tokens from none.
func TestNothingThatCanBeRead(t *testing.T) {
	at := tokenFile(t, header+"2,short\n")
	for _, args := range [][]string{{"list", at}, {"find", at, "--mail", "a@z.example"}, {"status", at}, {"backup", at, filepath.Join(t.TempDir(), "backup"), "--plain", "--yes"}} {
		if code, out, errs := try(t, "", args...); code != exitFault || !strings.Contains(errs, "2 fields") {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, exitFault, out, errs)
		}
	}
}

// TestAFileOfAnotherKindStaysOne: nothing says that it helps to try again.
func TestAFileOfAnotherKindStaysOne(t *testing.T) {
	at := tokenFile(t, `{"access_token": "fake-access"}`)
	for _, args := range [][]string{
		{"list", at}, {"list", at, "--oldest-first"}, {"find", at, "--mail", "a@z.example"}, {"find", at, "--user", "u"}, {"get", at, "1"},
		{"status", at}, {"check", at}, {"compare", at, "memory:"}, {"import", at, "--to", "memory:"}, {"import", "memory:", "--to", at},
		{"backup", at, filepath.Join(t.TempDir(), "backup"), "--plain", "--yes"}, {"delete", at, "1", "--yes"}, {"delete-all", at, "--yes"},
	} {
		code, out, errs := try(t, "", append(args, "--json")...)
		if !strings.Contains(errs, `"retryable": false`) && (errs != "" || strings.Contains(out, "retryable")) || code == exitOK {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}
