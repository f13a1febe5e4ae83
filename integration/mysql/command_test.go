package mysql_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/sqlstore"
)

// TestCommand moves the SDK's own table, with an account that may only read, to a SQLite
// file, and that to another database, with the command.
func TestCommand(t *testing.T) {
	d := older(t, sdkTable,
		"insert into oauthtoken values ('1', 'u1', 'c', 's', 'refresh-hush-1', 'access-hush-1', 'grant-hush-1', '1763900000000', null, 'https://www.zohoapis.eu')",
		"insert into oauthtoken values ('2', 'U1', 'c', 's', 'refresh-hush-2', 'access-hush-2', null, '1763900000', 'NULL', '')")
	c := d.account(t, "SELECT")
	file := filepath.Join(t.TempDir(), "my.cnf")
	must(t, os.WriteFile(file, []byte("[client]\nuser="+c.User+"\npassword="+c.Passwd+"\n"), 0o600))
	program := need.Command(t)
	command := func(succeeds bool, says string, arguments ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput() // #nosec G204 -- built above.
		if (err == nil) != succeeds || !strings.Contains(string(out), says) || strings.Contains(string(out), "hush") {
			t.Errorf("%s: %v\n%s", arguments, err, out)
		}
	}
	from := "mysql://" + d.url.Host + "/" + d.name + "?readonly=true&defaults_file=" + url.QueryEscape(file)
	lite := "sqlite:" + filepath.ToSlash(filepath.Join(t.TempDir(), "tokens.db"))
	command(true, "2 rows: 2 created", "import", from, "--to", lite)
	command(true, "2 rows: 2 already there", "import", from, "--to", lite)
	if n := text(t, d.raw(t), "select count(*) from information_schema.tables where table_schema = database()"); n != "1" {
		t.Errorf("the source has %s tables now", n)
	}
	other := newDatabase(t)
	command(true, "2 rows: 2 created", "import", lite, "--to", other.at(""))
	command(true, "u1", "list", other.at("&readonly=true"))
	_, port, _ := strings.Cut(d.url.Host, ":")
	command(false, "are one store", "import", from, "--to", "mysql://localhost:"+port+"/"+d.name+"?user="+d.url.Query().Get("user"))
	command(false, "password", "list", strings.Replace(from, "mysql://", "mysql://app:hush@", 1))
}

// TestSamePlace opens a table by several names of its server.
func TestSamePlace(t *testing.T) {
	t.Parallel()
	d, other := newDatabase(t), newDatabase(t)
	s := d.open(t)
	localhost := d.config(d.name)
	localhost.Addr = strings.Replace(localhost.Addr, "127.0.0.1", "localhost", 1)
	again, err := sqlstore.OpenMySQL(t.Context(), localhost)
	must(t, err)
	defer func() { _ = again.Close() }()
	if !s.SamePlace(again) || !again.SamePlace(s) {
		t.Error("the same table is taken for two")
	}
	if s.SamePlace(other.open(t)) || s.SamePlace(d.open(t, sqlstore.WithTable("tokens"))) {
		t.Error("other tables are taken for the same")
	}
}
