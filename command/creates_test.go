// A verb creates a store only if it has something to write to it.

package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingToWriteCreatesNothing: neither a verb that reads, nor one that has found nothing to
// write, leaves a file.
func TestNothingToWriteCreatesNothing(t *testing.T) {
	rows := header + "1,ada@z.example:1,C,s,r1,a1,,,,\n"
	for _, kind := range []string{"file:new.txt", "sqlite:new.db"} {
		for _, c := range []struct {
			stdin string
			args  []string
			code  int
		}{
			{"", []string{"list", kind}, exitNotFound},
			{"", []string{"find", kind, "--user", "u"}, exitNotFound},
			{"", []string{"find", kind, "--mail", "a@z.example"}, exitNotFound},
			{"", []string{"get", kind, "1"}, exitNotFound},
			{"", []string{"status", kind, "--deep"}, exitNotFound},
			{"", []string{"check", kind}, exitNotFound},
			{"", []string{"reindex", kind}, exitNotFound},
			{"", []string{"doctor", kind}, exitNotFound},
			{"", []string{"doctor", kind, "--repair", "--dry-run"}, exitNotFound},
			{"", []string{"doctor", kind, "--repair", "--yes"}, exitNotFound},
			{"", []string{"compare", kind, "file:rows.txt"}, exitNotFound},
			{"", []string{"compare", "file:rows.txt", kind}, exitNotFound},
			{"", []string{"backup", kind, "backup", "--plain", "--yes"}, exitNotFound},
			{"", []string{"delete", kind, "1", "--yes"}, exitNotFound},
			{"", []string{"delete", kind, "--user", "u", "--yes"}, exitNotFound},
			{"", []string{"delete-all", kind, "--yes"}, exitNotFound},
			{"", []string{"undelete", kind, "1"}, exitNotFound},
			{"", []string{"refresh", kind, "1"}, exitNotFound},
			{"", []string{"revoke", kind, "1", "--yes"}, exitNotFound},
			{"fake-access\n", []string{"set", kind, "1", "access_token"}, exitNotFound},
			{"s\n", []string{"set", kind, "client_secret", "--client", "C", "--yes"}, exitNotFound},
			{`{"refresh_token": "fake-refresh"}`, []string{"put", kind}, exitNotFound},
			{`{"refresh_token": "fake-refresh"}`, []string{"put", kind, "--create", "--dry-run"}, exitOK},
			{`{"user_name": "u"}`, []string{"put", kind, "--create"}, exitUsage},
			{"", []string{"import", kind, "--to", "memory:"}, exitNotFound},
			{"", []string{"import", "file:rows.txt", "--to", kind, "--dry-run"}, exitOK},
			{"", []string{"import", "file:rows.txt", "--to", kind, "--client", "OTHER"}, exitNotFound},
			{"", []string{"import", "file:rows.txt", "--to", kind, "--user", "nobody"}, exitNotFound},
			{"", []string{"import", "file:missing.txt", "--to", kind}, exitNotFound},
			{"", []string{"import", "file:empty.txt", "--to", kind}, exitOK},
			{"", []string{"import", "file:refused.txt", "--to", kind}, exitIncomplete},
			{"", []string{"import", "file:other.txt", "--to", kind}, exitFault},
			{"", []string{"restore", "missing", kind}, exitUsage},
			{"", []string{"restore", "../plain", kind, "--user", "nobody"}, exitNotFound},
			{"", []string{"restore", "../plain", kind, "--dry-run"}, exitOK},
		} {
			root := t.TempDir()
			dir := filepath.Join(root, "here")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			for name, text := range map[string]string{"rows.txt": rows, "empty.txt": header, "refused.txt": header + "2,ben,C,s,,,,,,\n", "other.txt": `{"a": 1}`} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.args[1] == "../plain" {
				if code, _, errs := try(t, "", "backup", "file:rows.txt", "../plain", "--plain", "--yes"); code != exitOK {
					t.Fatal(errs)
				}
			}
			code, out, errs := try(t, c.stdin, c.args...)
			if code != c.code {
				t.Errorf("%v: exit code %d, want %d\n%s%s", c.args, code, c.code, out, errs)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), "new") || e.Name() == "backup" {
					t.Errorf("%v leaves %s\n%s%s", c.args, e.Name(), out, errs)
				}
			}
		}
	}
}
