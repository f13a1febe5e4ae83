//go:build unix

// Doctor over a file and a database.

package command

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/unprivileged"
)

// chart is a file with two tokens, in a folder that everybody may enter.
type chart struct {
	*testing.T
	url, path string
}

const line3 = "3,short\n"

func charted(t *testing.T, kind string) *chart {
	t.Helper()
	folder := unprivileged.OpenFolder(t)
	c := &chart{T: t, path: filepath.Join(folder, "tokens")}
	c.url = kind + ":" + c.path
	store, err := tokenstore.Open(t.Context(), c.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range numbered("1", "2") {
		if _, err := store.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *chart) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// replace edits the file.
func (c *chart) replace(old, replacement string) {
	c.Helper()
	text, err := os.ReadFile(c.path)
	c.must(err)
	edited := strings.Replace(string(text), old, replacement, 1)
	if edited == string(text) {
		c.Fatalf("the file has no %q", old)
	}
	c.must(os.WriteFile(c.path, []byte(edited), 0o600))
}

// query changes the database.
func (c *chart) query(statements ...string) {
	c.Helper()
	db, err := sql.Open("sqlite", c.path)
	c.must(err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.ExecContext(c.Context(), s)
		c.must(err)
	}
}

func (c *chart) mode(path string, mode os.FileMode) func(*chart) {
	return func(c *chart) { c.must(os.Chmod(filepath.Join(filepath.Dir(c.path), path), mode)) }
}

func (c *chart) leftover() string {
	return filepath.Join(filepath.Dir(c.path), ".tokens.tmp123")
}

// harm is a fault planted in a file.
type harm struct {
	kinds  string
	plant  func(*chart)
	code   string
	repair string
	mend   func(*chart) // if nil, --repair mends it
}

var harms = map[string]harm{
	"a file that others may read": {
		kinds: "file sqlite", plant: (*chart)(nil).mode("tokens", 0o644),
		code: tokenstore.CodeFileOpen, repair: "chmod o-rw ",
	},
	"a folder that others may write": {
		kinds: "file sqlite", plant: (*chart)(nil).mode("", 0o757),
		code: "folder-open", repair: "chmod o-w ", mend: (*chart)(nil).mode("", 0o755),
	},
	"what a killed writer left": {
		kinds: "file",
		plant: func(c *chart) {
			c.must(os.WriteFile(c.leftover(), []byte("1,fake-refresh1"), 0o600))
			old := time.Now().Add(-time.Hour)
			c.must(os.Chtimes(c.leftover(), old, old))
		},
		code: "file-left", repair: "rm ",
	},
	"white space around a refresh token": {
		kinds: "file", plant: func(c *chart) { c.replace("fake-refresh1", " fake-refresh1 ") },
		code: tokenstore.CodeWhiteSpace, repair: "--repair",
	},
	"a line break after a client secret": {
		kinds: "sqlite",
		plant: func(c *chart) {
			c.query("UPDATE oauthtoken SET client_secret = client_secret || char(10) WHERE id = '1'")
		},
		code: tokenstore.CodeWhiteSpace, repair: "--repair",
	},
	"an expiry that cannot be understood": {
		kinds: "sqlite", plant: func(c *chart) { c.query("UPDATE oauthtoken SET expiry_time = 'soon' WHERE id = '1'") },
		code: tokenstore.CodeExpiryUnknown, repair: "tokenstore refresh ",
		mend: func(c *chart) { (&patient{T: c.T}).command("refresh", c.url, "1") },
	},
	"a row that cannot be read": {
		kinds: "file", plant: func(c *chart) { c.replace("2,user2", line3+"2,user2") },
		code: codeRowUnreadable, repair: "correct the row", mend: func(c *chart) { c.replace(line3, "") },
	},
	"two tokens of one user": {
		kinds: "sqlite", plant: func(c *chart) { c.query("UPDATE oauthtoken SET user_name = 'user1' WHERE id = '2'") },
		code: tokenstore.CodeUserTwice, repair: "tokenstore delete ",
		mend: func(c *chart) { (&patient{T: c.T}).command("delete", c.url, "2", "--yes") },
	},
	"a column that is missing": {
		kinds: "sqlite", plant: func(c *chart) { c.query("ALTER TABLE oauthtoken DROP COLUMN api_domain") },
		code: "column-missing", repair: "upgrade=true",
		mend: func(c *chart) { (&patient{T: c.T}).command("doctor", c.url+"?upgrade=true", "--repair", "--yes") },
	},
	"an index that does not fit its table": {
		kinds: "sqlite",
		plant: func(c *chart) {
			c.query("CREATE INDEX mine ON oauthtoken (api_domain)", "PRAGMA writable_schema = on",
				"UPDATE sqlite_master SET sql = 'CREATE INDEX mine ON oauthtoken (redirect_url, id)' WHERE name = 'mine'")
		},
		code: "database-damaged", repair: "REINDEX", mend: func(c *chart) { c.query("REINDEX") },
	},
}

func TestDoctorFindsFaultsOfFiles(t *testing.T) {
	for name, h := range harms {
		for kind := range strings.FieldsSeq(h.kinds) {
			t.Run(kind+" "+name, func(t *testing.T) { h.test(charted(t, kind)) })
		}
	}
}

func (h harm) test(c *chart) {
	h.plant(c)
	p := &patient{T: c.T, url: c.url}
	found := p.doctor(exitIncomplete)
	has := func(all []finding) finding {
		i := slices.IndexFunc(all, func(g finding) bool { return g.Code == h.code })
		if i < 0 {
			c.Fatalf("%s is not among %+v", h.code, all)
		}
		return all[i]
	}
	if got := has(found); !strings.Contains(got.Repair, h.repair) || strings.ContainsAny(got.Repair, "{}") || got.Mends != (h.mend == nil) {
		c.Errorf("%+v, want the repair %q", got, h.repair)
	}
	if h.mend != nil {
		h.mend(c)
	} else if got := has(p.doctor(exitOK, "--repair", "--yes")); got.Outcome != outcomeMended {
		c.Errorf("--repair: %+v", got)
	}
	p.silent()
	p.silent("--repair", "--yes")
}

// TestDoctorOfAHealthyFile: it says nothing, changes nothing and leaves nothing behind.
func TestDoctorOfAHealthyFile(t *testing.T) {
	for _, kind := range []string{"file", "sqlite"} {
		c := charted(t, kind)
		p := &patient{T: t, url: c.url}
		look := func() (names []string, text string) {
			entries, err := os.ReadDir(filepath.Dir(c.path))
			c.must(err)
			for _, e := range entries {
				names = append(names, e.Name())
			}
			data, err := os.ReadFile(c.path)
			c.must(err)
			return names, string(data)
		}
		names, text := look()
		for _, role := range []string{"reader", "writer", "operator"} {
			p.silent("--role", role)
		}
		if after, now := look(); !slices.Equal(after, names) || now != text {
			t.Errorf("%s: it left %v, and there was %v", kind, after, names)
		}
	}
}

// TestDoctorSaysWhoMayNotWrite: a writer needs to write a file that a reader need not.
func TestDoctorSaysWhoMayNotWrite(t *testing.T) {
	unprivileged.Run(t)
	for _, kind := range []string{"file", "sqlite"} {
		c := charted(t, kind)
		p := &patient{T: t, url: c.url}
		c.must(os.Chmod(c.path, 0o400))
		p.silent("--role", "reader")
		if found := p.doctor(exitIncomplete, "--role", "writer"); len(found) != 1 || found[0].Code != "denied-write" {
			t.Errorf("%s: %+v", kind, found)
		}
		c.must(os.Chmod(c.path, 0o600))
		p.silent()
	}
}
