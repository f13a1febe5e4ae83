package sqlstore

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// write writes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMySQLURLs(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	server.Close()
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	file := url.QueryEscape(write(t, "my.cnf", "[client]\nuser=filed\npassword='of the file'\nhost=db.example.com\nport=3307\ndatabase=filed_db\n"))
	socket := url.QueryEscape(write(t, "my.cnf", "[client]\nuser=filed\nsocket=/run/mysqld.sock\n"))
	authority := url.QueryEscape(write(t, "my.cnf", "[client]\nssl-ca="+ca+"\n"))
	for rawURL, want := range map[string]struct{ network, address, database, user, password, tls string }{
		"mysql://db.example.com/zohooauth?user=app":                               {"tcp", "db.example.com:3306", "zohooauth", "app", "of the environment", "db.example.com"},
		"mariadb://db.example.com:3310/zohooauth?user=app":                        {"tcp", "db.example.com:3310", "zohooauth", "app", "of the environment", "db.example.com"},
		"mysql://db.example.com/z?user=app&tls=false":                             {"tcp", "db.example.com:3306", "z", "app", "of the environment", ""},
		"mysql://127.0.0.1/z?user=app":                                            {"tcp", "127.0.0.1:3306", "z", "app", "of the environment", ""},
		"mysql://[::1]:3311/z?user=app":                                           {"tcp", "[::1]:3311", "z", "app", "of the environment", ""},
		"mysql://[2001:db8::7]/z?user=app":                                        {"tcp", "[2001:db8::7]:3306", "z", "app", "of the environment", "2001:db8::7"},
		"mysql://localhost/z?user=app&tls=true":                                   {"tcp", "localhost:3306", "z", "app", "of the environment", "localhost"},
		"mysql://localhost/z?user=app&ca=" + url.QueryEscape(ca):                  {"tcp", "localhost:3306", "z", "app", "of the environment", "localhost+ca"},
		"mysql://localhost/z?user=app&defaults_file=" + authority:                 {"tcp", "localhost:3306", "z", "app", "of the environment", "localhost+ca"},
		"mysql:///z?user=app&socket=/run/s.sock":                                  {"unix", "/run/s.sock", "z", "app", "of the environment", ""},
		"mysql:/z?defaults_file=" + socket:                                        {"unix", "/run/mysqld.sock", "z", "filed", "of the environment", ""},
		"mysql://h/z?tls=false&defaults_file=" + socket:                           {"tcp", "h:3306", "z", "filed", "of the environment", ""},
		"mysql:?defaults_file=" + file:                                            {"tcp", "db.example.com:3307", "filed_db", "filed", "of the file", "db.example.com"},
		"mysql:///other?user=me&defaults_file=" + file:                            {"tcp", "db.example.com:3307", "other", "me", "of the file", "db.example.com"},
		"mysql://h/z?defaults_file=" + file:                                       {"tcp", "h:3307", "z", "filed", "of the file", "h"},
		"mysql://h:1/z?user=a%40b&table=t&busy_timeout=1s&upgrade=true&tls=false": {"tcp", "h:1", "z", "a@b", "of the environment", ""},
	} {
		t.Setenv(passwordVariable, "of the environment")
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := parseMySQL(u)
		if err != nil {
			t.Errorf("%s: %v", rawURL, err)
			continue
		}
		name := ""
		if c.TLS != nil {
			name = c.TLS.ServerName
			if c.TLS.InsecureSkipVerify {
				t.Errorf("%s: the certificate is not verified", rawURL)
			}
			if c.TLS.RootCAs != nil {
				name += "+ca"
			}
		}
		got := struct{ network, address, database, user, password, tls string }{c.Net, c.Addr, c.DBName, c.User, c.Passwd, name}
		if got != want {
			t.Errorf("%s: %q, want %q", rawURL, got, want)
		}
	}
}

func TestMySQLURLsThatCannotBeUsed(t *testing.T) {
	t.Setenv(passwordVariable, "")
	empty := url.QueryEscape(write(t, "empty.pem", "hush"))
	included := url.QueryEscape(write(t, "my.cnf", "!include hush"))
	for rawURL, says := range map[string]string{
		"mysql://app:hush@h/z":                      "must not contain a user name or password",
		"mysql://hush@h/z":                          "must not contain a user name or password",
		"mysql://h/z?user=app&password=hush":        "unknown parameter",
		"mysql://h/z":                               "MYSQL_PWD",
		"mysql://h?user=app":                        "database",
		"mysql:z?user=app":                          "host:port/database",
		"mysql://h/hush/z?user=app":                 "host:port/database",
		"mysql://h/z?user=app#hush":                 "host:port/database",
		"mysql://h/z?user=app&tls=skip-verify":      "true or false",
		"mysql://h/z?user=app&ca=/hush/none.pem":    "ca: the file cannot be read",
		"mysql://h/z?user=app&ca=" + empty:          "PEM",
		"mysql://h/z?defaults_file=/hush/none.cnf":  "defaults_file: the file cannot be read",
		"mysql://h/z?defaults_file=":                "defaults_file: the file cannot be read",
		"mysql://h/z?defaults_file=" + included:     "line 1",
		"mysql://h/z?user=app&table=x;hush":         "parameters",
		"mysql://h/z?user=app&table=tokenstore_ids": "letters",
		"mysql://h/z?user=app&busy_timeout=1":       "duration",
		"mysql://h/z?user=app&user=hush":            "twice",
		"mysql://h:hush/z?user=app":                 "not a URL",
		"mysql://h/z?user=app&socket=/hush":         "socket",
	} {
		s, err := tokenstore.Open(context.Background(), rawURL)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want ErrInvalidArgument with %q", rawURL, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
}
