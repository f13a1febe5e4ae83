package command

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// used returns the URL of a store that is empty, since its last token was deleted.
func used(t *testing.T) string {
	t.Helper()
	secrets := memory.New()
	tokenstore.Register("used", func(_ context.Context, u *url.URL) (tokenstore.OpenStore, error) {
		return secretstore.New(secrets, secretstore.WithPrefix(u.Opaque+"/"), secretstore.WithDocument(1))
	})
	store, err := tokenstore.Open(t.Context(), "used:here")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u", RefreshToken: "fake-refresh"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteToken(t.Context(), saved.ID); err != nil {
		t.Fatal(err)
	}
	return "used:here"
}

// TestAPlaceWhereNothingIsIsNoEmptyStore looks with a wrong prefix: that is said, with
// where it was looked, and has another exit code than an empty store.
func TestAPlaceWhereNothingIsIsNoEmptyStore(t *testing.T) {
	here := used(t)
	const wrong = "used:wrong"
	for _, c := range []struct {
		args       []string
		emptyStore int
		out        string
	}{
		{[]string{"list", here}, exitOK, "[]"},
		{[]string{"get", here, "1"}, exitNotFound, ""},
		{[]string{"find", here, "--user", "u"}, exitNotFound, ""},
		{[]string{"check", here}, exitOK, "{"},
		{[]string{"reindex", here}, exitOK, ""},
		{[]string{"import", here, "--to", "memory:"}, exitOK, "{"},
	} {
		for _, asJSON := range []bool{false, true} {
			args := append([]string{}, c.args...)
			if asJSON {
				args = append(args, "--json")
			}
			if code, _, errs := try(t, "", args...); code != c.emptyStore || strings.Contains(errs, "nothing of a store") {
				t.Errorf("%v of an empty store: exit code %d, want %d\n%s", args, code, c.emptyStore, errs)
			}
			args[1] = wrong
			code, out, errs := try(t, "", args...)
			if code != exitNotFound || !strings.Contains(errs, "nothing of a store is at "+wrong) {
				t.Errorf("%v: exit code %d, want %d\n%s", args, code, exitNotFound, errs)
			}
			if asJSON && c.args[0] != "import" && (!strings.HasPrefix(out, c.out) || out != "" && !json.Valid([]byte(out))) {
				t.Errorf("%v prints %q, want JSON that begins with %q", args, out, c.out)
			}
		}
	}
}

// TestAFileThatIsNotThereIsNamed: a file or a table that is missing is no empty store.
func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("empty.db", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for store, says := range map[string]string{"file:none.txt": "no such file", "sqlite:none.db": "no such file", "sqlite:empty.db": "no table oauthtoken"} {
		for _, args := range [][]string{{"list", store}, {"find", store, "--user", "u"}, {"check", store}, {"import", store, "--to", "memory:"}} {
			if code, out, errs := try(t, "", args...); code != exitNotFound || out != "" || !strings.Contains(errs, says) {
				t.Errorf("%v: exit code %d, want %d and %q\n%s%s", args, code, exitNotFound, says, out, errs)
			}
		}
	}
	// A destination is another thing: it is made.
	if code, _, errs := try(t, "", "import", used(t), "--to", "sqlite:folder/none.db"); code != exitUsage {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// TestCheckNamesRowsAndSlips checks a file and a database, as text and as JSON.
func TestCheckNamesRowsAndSlips(t *testing.T) {
	source := filepath.Join(t.TempDir(), "tokens.txt")
	lines := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,u1,c,s,fake-refresh ,a1,,soon,,\n2,u2,c,s,r2,a2,,,,\n3,short\n"
	if err := os.WriteFile(source, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := try(t, "", "check", "file:"+source)
	for _, want := range []string{"line 4: 2 fields", "token 1: refresh_token: white space", "token 1: expiry_time: not a time"} {
		if code != exitIncomplete || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %d and %q\n%s", code, exitIncomplete, want, out)
		}
	}
	var report rowsReport
	code, out, _ = try(t, "", "check", "file:"+source, "--json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitIncomplete {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if report.Tokens != 2 || len(report.Unreadable) != 1 || len(report.Warnings) != 2 {
		t.Errorf("report %+v", report)
	}
	// The import moves them, and says so beside the row.
	db := filepath.Join(t.TempDir(), "tokens.db")
	code, out, _ = try(t, "", "import", "file:"+source, "--to", "sqlite:"+db)
	if code != exitIncomplete || !strings.Contains(out, "2 created, 1 refused") || !strings.Contains(out, "refresh_token: white space") || !strings.Contains(out, "expiry_time: not a time") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, _ = try(t, "", "check", "sqlite:"+db); code != exitIncomplete || !strings.Contains(out, "white space") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// TestHelpAndCompletionsShowWhatIsRegistered registers a store that nobody knows.
func TestHelpAndCompletionsShowWhatIsRegistered(t *testing.T) {
	tokenstore.Register("etcd", func(context.Context, *url.URL) (tokenstore.OpenStore, error) { return secretstore.NewMemory(), nil })
	tokenstore.Describe("etcd", tokenstore.Usage{Example: "etcd://HOST/PREFIX", About: "a store of the future"})
	_, help, _ := try(t, "", "--help")
	for _, u := range tokenstore.Usages() {
		if !strings.Contains(help, u.Example) || !strings.Contains(help, u.About) {
			t.Errorf("the help does not show %+v", u)
		}
	}
	for _, args := range [][]string{{"list", "et"}, {"import", "et"}, {"import", "x", "--to", "et"}, {"check", "et"}, {"reindex", "et"}, {"get", "et"}, {"find", "et"}} {
		if _, out, _ := try(t, "", append([]string{"__complete"}, args...)...); !strings.Contains(out, "etcd://\ta store of the future") {
			t.Errorf("%v is completed as %q", args, out)
		}
	}
	if _, out, _ := try(t, "", "__complete", "get", "memory:", ""); strings.Contains(out, "sqlite") {
		t.Errorf("an ID is completed as %q", out)
	}
}
