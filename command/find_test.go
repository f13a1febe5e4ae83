package command

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// TestFindByMail lists the users of a mail, of any organisation, and nobody else's.
func TestFindByMail(t *testing.T) {
	var tokens []tokenstore.OAuthToken
	for _, user := range []string{"ana@zylker.com:1", "ana@zylker.com:2", "ana@zylker.com", "Ben@Zylker.com:1", "ben@zylker.com.example:1", "xben@zylker.com:1", ""} {
		token := numbered("of-" + user)[0]
		token.ID, token.UserName = "", user
		tokens = append(tokens, token)
	}
	at, _ := kept(t, nil, tokens...)
	for _, c := range []struct {
		mail  string
		code  int
		users []string
	}{
		{"ana@zylker.com", exitIncomplete, []string{"ana@zylker.com", "ana@zylker.com:1", "ana@zylker.com:2"}},
		{"ben@zylker.com", exitOK, []string{"Ben@Zylker.com:1"}},
		{"ben@zylker", exitNotFound, nil},
		{"ana", exitNotFound, nil},
		{"*", exitNotFound, nil},
	} {
		code, out, errs := try(t, "", "find", at, "--mail", c.mail, "--json")
		var found []struct {
			User string `json:"user_name"`
		}
		if err := json.Unmarshal([]byte(out), &found); err != nil || code != c.code || len(found) != len(c.users) {
			t.Errorf("%s: exit code %d, %v\n%s%s", c.mail, code, err, out, errs)
		}
		for _, user := range c.users {
			if !strings.Contains(out, `"`+user+`"`) {
				t.Errorf("%s: %s is not found\n%s", c.mail, user, out)
			}
		}
		if (code == exitNotFound) != strings.Contains(errs, `"exit_code": 3`) {
			t.Errorf("%s: %s", c.mail, errs)
		}
	}
	if code, out, errs := try(t, "", "find", at, "--mail", "ana@zylker.com"); code != exitIncomplete || strings.Count(out, "ana@") != 3 || errs != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := try(t, "", "find", at, "--user", "ben@zylker.com"); code != exitNotFound || !strings.Contains(errs, "--mail lists those of a mail") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	for _, pattern := range []string{"ana*", "ana@zylker.com:?"} {
		if code, _, errs := try(t, "", "find", at, "--user", pattern); code != exitNotFound || !strings.Contains(errs, "list --user does") {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	}
	if code, _, errs := try(t, "", "find", "memory:", "--mail", "ana@zylker.com"); code != exitNotFound || !strings.Contains(errs, "nothing of a store") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	for _, args := range [][]string{{"--mail", "a@b:1"}, {"--mail", "a@b", "--user", "u"}, {"--mail", "a@b", "--grant-token-stdin"}, {"--mail", ""}} {
		if code, _, errs := try(t, "", append([]string{"find", at}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
}

// TestFindTakesNoHalfCredential: the part of a credential that fits, or its first line, is
// another one, which nobody has; that must not look like an answer.
func TestFindTakesNoHalfCredential(t *testing.T) {
	at, _ := kept(t, nil, numbered("1")...)
	for stdin, says := range map[string]string{
		strings.Repeat("fake-refresh", 6000): "more than 65536 bytes; the token has fewer",
		"fake-refresh\nfake-refresh\n":       "goes on after the first line",
	} {
		if code, out, errs := try(t, stdin, "find", at, "--refresh-token-stdin"); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("exit code %d, want %d and %q\n%s%s", code, exitUsage, says, out, errs)
		}
	}
	if code, _, errs := try(t, "fake-refresh1\r\n\n \n", "find", at, "--refresh-token-stdin"); code != exitOK {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
