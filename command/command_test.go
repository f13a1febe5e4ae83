package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// try runs the command as a person would, and returns its exit code and what it
// printed.
func try(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	for _, credential := range []string{"fake-refresh", "fake-access", "fake-grant", "cs-fake", "CLIENTAAAA"} {
		if strings.Contains(out.String()+errs.String(), credential) {
			t.Errorf("%v shows a credential:\n%s%s", args, out.String(), errs.String())
		}
	}
	return code, out.String(), errs.String()
}

// fixture copies a file that a real SDK wrote, and returns it as a store's URL.
func fixture(t *testing.T, path string) (url string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after, err := os.ReadFile(copied); err != nil || !bytes.Equal(after, data) {
			t.Errorf("the source was written: %v", err)
		}
		if beside, err := os.ReadDir(filepath.Dir(copied)); err != nil || len(beside) != 1 {
			t.Errorf("something was written beside the source: %v", beside)
		}
	})
	return copied
}

const (
	pythonFile     = "../filestore/testdata/python-sdk-8.0-filestore.txt"
	nodeFile       = "../filestore/testdata/node-sdk-8.0-filestore.txt"
	pythonDatabase = "../sqlstore/testdata/python-sdk-8.0-zohooauth.db"
)

func TestImportMovesAndFindsRealSDKTokens(t *testing.T) {
	for name, source := range map[string]string{
		"python file": "file:" + fixture(t, pythonFile), "node file": "file:" + fixture(t, nodeFile), "python database": "sqlite:" + fixture(t, pythonDatabase),
	} {
		t.Run(name, func(t *testing.T) {
			db := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
			code, out, errs := try(t, "", "import", source, "--to", db)
			if code != exitOK || strings.Contains(out, "LOST") || !strings.Contains(out, "created") || !strings.Contains(out, ", 0 not") {
				t.Fatalf("exit code %d\n%s%s", code, out, errs)
			}
			_, before, _ := try(t, "", "list", db)
			code, out, errs = try(t, "", "import", source, "--to", db)
			if code != exitOK || strings.Contains(out, "created") || !strings.Contains(out, "already there") {
				t.Errorf("again: exit code %d\n%s%s", code, out, errs)
			}
			if _, after, _ := try(t, "", "list", db); after != before {
				t.Errorf("the second import changed the store from\n%s\nto\n%s", before, after)
			}
		})
	}
}

func TestImportDryRunWritesNothing(t *testing.T) {
	for _, to := range []string{"sqlite:", "file:"} {
		path := filepath.Join(t.TempDir(), "tokens")
		code, out, errs := try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", to+path, "--dry-run")
		if code != exitOK || !strings.Contains(out, "5 created (dry run: nothing was written)") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a dry run made the destination: %v", err)
		}
	}
}

func TestImportLeavesDifferencesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := "sqlite:" + path
	source := "file:" + fixture(t, pythonFile)
	try(t, "", "import", source, "--to", db, "--keep-ids")
	store, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "3", AccessToken: "newer"}); err != nil {
		t.Fatal(err)
	}
	code, out, _ := try(t, "", "import", source, "--to", db)
	if code != exitIncomplete || !strings.Contains(out, "1 left to decide") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if token, err := store.FindTokenByID(t.Context(), "3"); err != nil || token.AccessToken != "newer" {
		t.Errorf("the token that differs became %v, %v", token, err)
	}
	code, out, _ = try(t, "", "import", source, "--to", db, "--overwrite")
	if code != exitOK || !strings.Contains(out, "1 updated") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if token, err := store.FindTokenByID(t.Context(), "3"); err != nil || token.AccessToken == "newer" {
		t.Errorf("the token was not overwritten: %v, %v", token, err)
	}
}

func TestImportRefusesWhatCannotBeRead(t *testing.T) {
	source := filepath.Join(t.TempDir(), "broken.txt")
	lines := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,u1,c,s,r1,a1,,1763900000000,,\n" + "2,u2,c,s,fake-refresh,with,comma,a2,,1763900000000,,\n"
	if err := os.WriteFile(source, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := try(t, "", "import", "file:"+source, "--to", "memory:")
	if code != exitIncomplete || !strings.Contains(out, "1 created, 1 refused") || !strings.Contains(out, "line 3") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestFindByEachKey(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", db, "--keep-ids")
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"--user", "amelia.burrows@zylker.com:60001234567"}},
		{"1000.fake-refresh-0001\n", []string{"--refresh-token-stdin"}},
		{"1000.fake-access-0001\r\n", []string{"--access-token-stdin"}},
		{"1000.fake-grant-0001", []string{"--grant-token-stdin"}},
	} {
		code, out, errs := try(t, c.stdin, append([]string{"find", db, "--json"}, c.args...)...)
		var token struct {
			ID  string
			Has []string
		}
		if err := json.Unmarshal([]byte(out), &token); code != exitOK || err != nil || token.ID != "1" || len(token.Has) != 5 {
			t.Errorf("%v: exit code %d, %v\n%s%s", c.args, code, err, out, errs)
		}
	}
	if code, out, _ := try(t, "", "get", db, "5"); code != exitOK || !strings.Contains(out, "学院@zylker.jp:7") {
		t.Errorf("get: exit code %d\n%s", code, out)
	}
}

func TestExitCodes(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	try(t, "", "import", "file:"+fixture(t, pythonFile), "--to", db)
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitOK, nil},
		{exitOK, []string{"--help"}},
		{exitOK, []string{"import", "--help"}},
		{exitUsage, []string{"fake-refresh"}},
		{exitUsage, []string{"list"}},
		{exitUsage, []string{"list", "nosuch:x"}},
		{exitUsage, []string{"list", "memory:", "--nosuch"}},
		{exitUsage, []string{"find", db}},
		{exitUsage, []string{"find", db, "--user", "u", "--access-token-stdin"}},
		{exitUsage, []string{"find", db, "--access-token-stdin"}},
		{exitUsage, []string{"import", "memory:"}},
		{exitOK, []string{"check", db}},
		{exitUsage, []string{"reindex", db}},
		{exitOK, []string{"check", used(t)}},
		{exitOK, []string{"reindex", used(t), "--json"}},
		{exitNotFound, []string{"reindex", "memory:", "--json"}},
		{exitNotFound, []string{"check", "memory:"}},
		{exitNotFound, []string{"list", "memory:"}},
		{exitNotFound, []string{"import", "memory:", "--to", "memory:"}},
		{exitNotFound, []string{"get", db, "nobody"}},
		{exitNotFound, []string{"find", db, "--user", "nobody"}},
	} {
		if code, _, errs := try(t, "", c.args...); code != c.want {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.want, errs)
		}
	}
}
