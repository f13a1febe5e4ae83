package mysql_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// account creates an account that has such rights on the database, and returns its
// configuration.
func (d database) account(t *testing.T, rights string) *mysql.Config {
	t.Helper()
	name := "hush_" + strings.ToLower(rand.Text()[:8])
	db := d.raw(t)
	run(t, db, "CREATE USER "+name+"@'%' IDENTIFIED BY 'hush-password'")
	t.Cleanup(func() { run(t, db, "DROP USER "+name+"@'%'") })
	for _, grant := range strings.Split(rights, ";") {
		what, where, _ := strings.Cut(grant, " ON ")
		if where == "" {
			where = d.name + ".*"
		}
		run(t, db, "GRANT "+what+" ON "+where+" TO "+name+"@'%'")
	}
	c := d.config(d.name)
	c.User, c.Passwd = name, "hush-password"
	return c
}

// wantError checks the kind of an error and its words, and that neither a credential nor
// what the server said is in it.
func wantError(t *testing.T, err, kind error, says string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %v with %q", err, kind, says)
	}
	shown := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, canary := range []string{"hush", "Access denied", "command denied", "Unknown database", "Duplicate", "Data too long", "signal"} {
		if strings.Contains(shown, canary) {
			t.Errorf("%q is in the error %s", canary, shown)
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	t.Run("read only", func(t *testing.T) {
		t.Parallel()
		d := older(t, sdkTable, "insert into oauthtoken (id, user_name, access_token) values ('1', 'u1', 'a1')")
		c := d.account(t, "SELECT")
		s, err := sqlstore.OpenMySQL(t.Context(), c, sqlstore.WithReadOnly())
		must(t, err)
		defer func() { _ = s.Close() }()
		if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got.ID != "1" || len(all(t, s)) != 1 {
			t.Errorf("found %v", got)
		}
		_, err = s.SaveToken(t.Context(), full("u1", "hush"))
		wantError(t, err, tokenstore.ErrDenied, "reading only")
		// Without the option it can be read, too, and says what is missing when it writes.
		w, err := sqlstore.OpenMySQL(t.Context(), c)
		must(t, err)
		defer func() { _ = w.Close() }()
		if got := find(t, w, tokenstore.OAuthToken{UserName: "u1"}); got.ID != "1" {
			t.Errorf("found %v", got)
		}
		_, err = w.SaveToken(t.Context(), full("u1", "hush"))
		wantError(t, err, tokenstore.ErrDenied, "grant it SELECT, INSERT, UPDATE and DELETE")
		wantError(t, w.DeleteToken(t.Context(), "1"), tokenstore.ErrDenied, "grant it")
		if n := text(t, d.raw(t), "select count(*) from information_schema.tables where table_schema = database()"); n != "1" {
			t.Errorf("there are %s tables", n)
		}
	})
	t.Run("as doctor finds them", func(t *testing.T) {
		t.Parallel()
		d := older(t, sdkTable, "insert into oauthtoken (id, user_name, access_token) values ('1', 'u1', 'a1')")
		for rights, denied := range map[string]string{
			"SELECT":                                 "denied-insert denied-update denied-delete denied-create",
			"SELECT, INSERT, UPDATE":                 "denied-delete denied-create",
			"SELECT, INSERT, UPDATE, DELETE":         "denied-create", // The first save creates the other tables.
			"SELECT, INSERT, UPDATE, DELETE, CREATE": "",
		} {
			s, err := sqlstore.OpenMySQL(t.Context(), d.account(t, rights), sqlstore.WithReadOnly())
			must(t, err)
			for role, want := range map[tokenstore.Role]string{tokenstore.RoleReader: "", tokenstore.RoleWriter: denied} {
				findings, err := s.Diagnose(t.Context(), role)
				must(t, err)
				var codes []string
				for _, f := range findings {
					if f.Severity != tokenstore.SeverityNote { // The server's character set may be a narrow one.
						codes = append(codes, f.Code)
					}
				}
				if got := strings.Join(codes, " "); got != want {
					t.Errorf("%s, as a %s: %+v, want %q", rights, role, findings, want)
				}
			}
			must(t, s.Close())
		}
		if n := text(t, d.raw(t), "select count(*) from oauthtoken"); n != "1" {
			t.Errorf("there are %s rows", n)
		}
		if n := text(t, d.raw(t), "select count(*) from information_schema.tables where table_schema = database()"); n != "1" {
			t.Errorf("there are %s tables", n)
		}
	})
	t.Run("of an older form, as doctor finds them", func(t *testing.T) {
		t.Parallel()
		for _, form := range []string{firstForm, secondForm} {
			d := older(t, form)
			s, err := sqlstore.OpenMySQL(t.Context(), d.config(d.name), sqlstore.WithReadOnly())
			must(t, err)
			findings, err := s.Diagnose(t.Context(), tokenstore.RoleWriter)
			must(t, err)
			for _, f := range findings {
				if f.Code == "check-failed" || strings.HasPrefix(f.Code, "denied-") {
					t.Errorf("%+v", f)
				}
			}
			must(t, s.Close())
		}
	})
	t.Run("of a reader of the SDKs' table alone, as doctor finds them", func(t *testing.T) {
		t.Parallel()
		d := older(t, sdkTable)
		s, err := sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT ON "+d.name+".oauthtoken"), sqlstore.WithReadOnly())
		must(t, err)
		defer func() { _ = s.Close() }()
		findings, err := s.Diagnose(t.Context(), tokenstore.RoleReader)
		must(t, err)
		for _, f := range findings {
			if f.Severity != tokenstore.SeverityNote {
				t.Errorf("nothing is wrong, but %+v", f)
			}
		}
	})
	t.Run("tables of an administrator", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		d.open(t)
		s, err := sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT, INSERT, UPDATE, DELETE"))
		must(t, err)
		defer func() { _ = s.Close() }()
		saved := save(t, s, full("u1", "1"))
		if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != saved {
			t.Errorf("found %v", got)
		}
		must(t, s.DeleteToken(t.Context(), saved.ID))
	})
	t.Run("no indices", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		d.open(t)
		run(t, d.raw(t), "drop table oauthtoken", sdkTable)
		s, err := sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT, INSERT, UPDATE, DELETE"))
		must(t, err)
		defer func() { _ = s.Close() }()
		saved := save(t, s, full("u1", "1"))
		if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != saved {
			t.Errorf("found %v", got)
		}
	})
	t.Run("nothing beside the SDKs' table", func(t *testing.T) {
		t.Parallel()
		d := older(t, sdkTable)
		s, err := sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT, INSERT, UPDATE, DELETE"))
		must(t, err)
		defer func() { _ = s.Close() }()
		_, err = s.SaveToken(t.Context(), full("u1", "hush"))
		wantError(t, err, tokenstore.ErrDenied, "CREATE and INDEX")
	})
	t.Run("no table", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		_, err := sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT, INSERT, UPDATE, DELETE"))
		wantError(t, err, tokenstore.ErrDenied, "CREATE and INDEX")
		_, err = sqlstore.OpenMySQL(t.Context(), d.account(t, "SELECT"), sqlstore.WithReadOnly())
		wantError(t, err, tokenstore.ErrInvalidArgument, "no table oauthtoken")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v does not match fs.ErrNotExist", err)
		}
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	good := d.account(t, "SELECT")
	for name, c := range map[string]struct {
		change func(*mysql.Config)
		kind   error
		says   string
	}{
		"password": {func(c *mysql.Config) { c.Passwd = "hush-wrong" }, tokenstore.ErrDenied, "the login was refused"},
		"no word":  {func(c *mysql.Config) { c.Passwd = "" }, tokenstore.ErrDenied, "the login was refused"},
		"user":     {func(c *mysql.Config) { c.User = "hush_nobody" }, tokenstore.ErrDenied, "the login was refused"},
		"not its":  {func(c *mysql.Config) { c.DBName = "hush_none" }, tokenstore.ErrDenied, "lacks a right"},
		"none": {func(c *mysql.Config) {
			c.User, c.Passwd, c.DBName = d.config("").User, d.config("").Passwd, "hush_none"
		}, tokenstore.ErrNoContainer, "no such database"},
		"port":      {func(c *mysql.Config) { c.Addr = "127.0.0.1:1" }, tokenstore.ErrUnavailable, "check that it runs"},
		"host":      {func(c *mysql.Config) { c.Addr = "hush.invalid:3306" }, tokenstore.ErrUnavailable, "name is not known"},
		"socket":    {func(c *mysql.Config) { c.Net, c.Addr = "unix", "/hush/socket" }, tokenstore.ErrUnavailable, "check that it runs"},
		"long user": {func(c *mysql.Config) { c.User = strings.Repeat("hush", 100) }, tokenstore.ErrDenied, "the login was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good.Clone()
			c.change(config)
			s, err := sqlstore.OpenMySQL(t.Context(), config, sqlstore.WithBusyTimeout(0))
			if err == nil {
				_ = s.Close()
			}
			wantError(t, err, c.kind, c.says)
		})
	}
}

// TestDefaultsFile opens a URL whose user and password are in a file.
func TestDefaultsFile(t *testing.T) {
	d := newDatabase(t)
	c := d.account(t, "ALL")
	t.Setenv("MYSQL_PWD", "hush-wrong")
	file := filepath.Join(t.TempDir(), "my.cnf")
	must(t, os.WriteFile(file, []byte("[client]\nuser="+c.User+"\npassword=\"hush-password\" # ours\n"), 0o600))
	s, err := tokenstore.Open(t.Context(), "mysql://"+d.url.Host+"/"+d.name+"?defaults_file="+url.QueryEscape(file))
	must(t, err)
	saved := save(t, s, full("u1", "1"))
	if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != saved {
		t.Errorf("found %v", got)
	}
	must(t, s.Close())
	_, err = tokenstore.Open(context.Background(), "mysql://"+d.url.Host+"/"+d.name+"?user="+c.User)
	wantError(t, err, tokenstore.ErrDenied, "the login was refused")
}

// TestTriggers has triggers that refuse a change with a message that holds a credential, or
// that change what was written.
func TestTriggers(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(t)
	saved := save(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a1"})
	db := d.raw(t)
	change := tokenstore.OAuthToken{UserName: "u1", AccessToken: "hush-2"}
	run(t, db, "create trigger refuse before update on oauthtoken for each row signal sqlstate '45000' set message_text = 'signal hush'")
	_, err := s.SaveToken(t.Context(), change)
	wantError(t, err, tokenstore.ErrInvalidToken, "trigger")
	run(t, db, "drop trigger refuse", "create trigger other before update on oauthtoken for each row set new.access_token = 'hush-3'")
	_, err = s.SaveToken(t.Context(), change)
	wantError(t, err, tokenstore.ErrInvalidToken, "access_token")
	run(t, db, "drop trigger other", "create trigger keep before delete on oauthtoken for each row signal sqlstate '45000' set message_text = 'signal hush'")
	wantError(t, s.DeleteToken(t.Context(), saved.ID), tokenstore.ErrDenied, "cannot be deleted")
	wantError(t, s.DeleteTokens(t.Context()), tokenstore.ErrDenied, "cannot be deleted")
	if got := all(t, s); len(got) != 1 || got[0] != saved {
		t.Errorf("the table has %v", got)
	}
	run(t, db, "drop trigger keep", "create unique index one on oauthtoken (client_id(20))")
	save(t, s, tokenstore.OAuthToken{UserName: "u1", ClientID: "hush", AccessToken: "a2"})
	_, err = s.SaveToken(t.Context(), tokenstore.OAuthToken{UserName: "u2", ClientID: "hush", AccessToken: "a3"})
	wantError(t, err, tokenstore.ErrInvalidToken, "unique index")
}
