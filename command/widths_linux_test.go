// What each verb prints fits terminals of several widths.

package command

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEveryVerbFitsTheTerminal runs the verbs that print tables and sentences on terminals of
// three widths: no line is wider, and no word is lost. (A policy may be wider, since it is to be
// copied.)
func TestEveryVerbFitsTheTerminal(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, rows := range map[string]string{
		"rows.txt": "1,amelia.burrows@zylker.com:60001234567,1000.C,s,r1 ,a1,,1763900000000,,https://www.zohoapis.eu\n" +
			"2,ben.carter@zylker.com:60001234567,1000.C,s,r2,a2,,1763900000000,,\n3,amelia.burrows@zylker.com,1000.C,s,r3,a3,,1763900000000,,\n" +
			"4,株式会社東京学院ソフトウェア開発部@zylker.jp:7,1000.C,s,r4,a4,,1763900000000,,\n",
		"other.txt": "1,amelia.burrows@zylker.com:60001234567,1000.C,s2,r1,a1,,1763900000000,,https://www.zohoapis.eu\n",
	} {
		if err := os.WriteFile(name, []byte(header+rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at, _ := kept(t, nil, numbered("1", "2")...)
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{`{"user_name": "user1", "refresh_token": "r9", "client_id": "x"}`, []string{"put", at}},
		{`{"id": "9", "user_name": "carla.dominguez@zylker.com:60001234567", "refresh_token": "r9"}`, []string{"put", at, "--dry-run"}},
		{"", []string{"delete", at, "1", "no-such-token-at-all", "--dry-run"}},
		{"", []string{"delete-all", at, "--dry-run"}},
		{"", []string{"undelete", at, "7", "1"}},
		{"", []string{"list", "file:rows.txt"}},
		{"", []string{"find", "file:rows.txt", "--mail", "amelia.burrows@zylker.com"}},
		{"", []string{"backup", "file:rows.txt", "backup", "--plain", "--yes", "--force"}},
		{"", []string{"restore", "backup", at, "--dry-run"}},
		{"", []string{"import", "file:rows.txt", "--to", at, "--dry-run"}},
		{"", []string{"doctor", "file:rows.txt"}},
		{"", []string{"check", "file:rows.txt"}},
		{"", []string{"check", at}},
		{"", []string{"version"}},
		{"", []string{"status", at, "--deep"}},
		{"", []string{"status", "file:rows.txt", "--deep"}},
		{"", []string{"compare", "file:rows.txt", "file:other.txt"}},
		{"fake-secret\n", []string{"set", at, "client_secret", "--client", "CLIENTAAAA", "--dry-run"}},
		{"", []string{"revoke", at, "1", "--dry-run"}},
		{"", []string{"refresh", at, "1", "--dry-run"}},
	} {
		_, piped, _ := try(t, c.stdin, c.args...)
		for _, width := range []uint16{60, 80, 120} {
			s := newScreen(t)
			s.columns(width)
			var errs bytes.Buffer
			code := Command{Stdin: strings.NewReader(c.stdin), Stdout: s.tty, Stderr: &errs}.Run(t.Context(), c.args)
			if _, err := s.tty.WriteString("<the end>"); err != nil || !s.waitFor("<the end>") {
				t.Fatal(err)
			}
			text, _, _ := strings.Cut(strings.ReplaceAll(s.text(), "\r\n", "\n"), "<the end>")
			for line := range strings.Lines(text) {
				line = strings.TrimRight(line, "\n")
				if columns(line) > int(width) {
					t.Errorf("%v, exit code %d: more than %d columns:\n%s\n%s", c.args, code, width, text, errs.String())
					break
				}
			}
			for _, word := range strings.Fields(piped) {
				if !slices.Contains(strings.Fields(text), word) {
					t.Errorf("%v: %d columns lack %q:\n%s", c.args, width, word, text)
					break
				}
			}
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		line          string
		width, indent int
		want          string
	}{
		{"one two three", 0, 2, "one two three"},
		{"one two three", 13, 2, "one two three"},
		{"one two three", 12, 2, "one two\n  three"},
		{"one two three", 3, 0, "one\ntwo\nthree"},
		{"an-ID-that-is-long two", 5, 1, "an-ID-that-is-long\n two"},
		{"ä ö ü", 3, 0, "ä ö\nü"},
		{"", 3, 0, ""},
	} {
		if got := wrap(c.line, c.width, c.indent); got != c.want {
			t.Errorf("wrap(%q, %d, %d) = %q, want %q", c.line, c.width, c.indent, got, c.want)
		}
	}
}
