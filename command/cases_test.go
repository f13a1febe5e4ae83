// Files and tables of the shapes that SDKs of all generations, other programs and
// exports have, and what their import must give.

package command

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// source returns the URL of a source with this content: of a database if it is SQL
// that a test may run, of a file otherwise.
func source(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".sql") {
		db, err := sql.Open("sqlite", path+".db")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), content); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path + ".db"
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

func caseOf(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return source(t, name, string(content))
}

// stored returns what a database holds: user, refresh token, client, expiry, redirect
// and domain of each token, as far as it has them.
func stored(t *testing.T, path string) []string {
	t.Helper()
	store, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	tokens, err := store.GetTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, token := range tokens {
		all = append(all, strings.Join([]string{token.UserName, token.RefreshToken, token.ClientID, tokenstore.FormatExpiry(token.Expiry),
			strings.TrimPrefix(token.RedirectURL, "https://zylker.example"), strings.TrimPrefix(token.APIDomain, "https://www.zohoapis")}, " "))
	}
	return all
}

// four is what each of the three exports of one table holds.
var four = []string{
	"ana@zylker.example:1 1000.r1 1000.C1 1763900000000  .com",
	"ben@zylker.example:2 1000.r2 1000.C1 1763900000000  .com",
	" 1000.r3 1000.C1 1763900000000  .com",
	" 1000.r4 1000.C2 1763990000000  .eu",
}

// cases are the files of testdata/cases, imported one after the other.
var cases = []struct {
	files []string
	flags []string
	code  int
	says  []string // in what the last import prints
	holds []string // what the destination holds in the end
}{
	{files: []string{"02-php-sdk1-serialized.txt"}, code: exitFault, says: []string{"serialized PHP", "user_name,client_id"}},
	{files: []string{"04-node-sdk1.json"}, code: exitFault, says: []string{"the file is JSON", "user_name,client_id"}},
	{files: []string{"11-semicolons.txt"}, code: exitFault, says: []string{"separated by semicolons", "commas"}},
	{files: []string{"13-relative-3600.txt"}, code: exitOK, says: []string{"1 row: 1 created", "expiry_time: a duration"},
		holds: []string{"ana@zylker.example:1 1000.r1 1000.C1  /cb .com"}},
	{files: []string{"18-mail-and-mail-org.txt"}, code: exitOK, says: []string{"2 rows: 2 created", "has the refresh token of row 1"},
		holds: []string{"ana@zylker.example 1000.r1 1000.C1 1763900000000  .com", "ana@zylker.example:1 1000.r1 1000.C1 1763990000000  .com"}},
	{files: []string{"31-sdk1x-7columns.sql"}, code: exitOK, says: []string{"2 rows: 2 created"},
		holds: []string{"ana@zylker.example 1000.r1 1000.C1 1763900000000  ", "ben@zylker.example 1000.r2 1000.C2 1763900000000  "}},
	{files: []string{"33-custom-expires_in-redirect_uri.sql"}, code: exitIncomplete, says: []string{"1 row: 1 created", "column created_at is not understood"},
		holds: []string{"ana@zylker.example:1 1000.r1 1000.C1 1763900000000 /cb .eu"}},
	{files: []string{"33-custom-expires_in-redirect_uri.sql"}, flags: []string{"--ignore-column", "Created_At"}, code: exitOK, says: []string{"1 row: 1 created"},
		holds: []string{"ana@zylker.example:1 1000.r1 1000.C1 1763900000000 /cb .eu"}},
	{files: []string{"33-same-as-file.txt"}, code: exitOK, says: []string{"1 row: 1 created"},
		holds: []string{"ana@zylker.example:1 1000.r1 1000.C1 1763900000000 /cb .eu"}},
	{files: []string{"41-phpmyadmin-export.csv"}, code: exitOK, says: []string{"4 rows: 4 created", "10 values are a word for nothing"}, holds: four},
	{files: []string{"46-null.csv"}, code: exitOK, says: []string{"4 rows: 4 created", "10 values are a word for nothing"}, holds: four},
	{files: []string{"47-empty.csv"}, code: exitOK, says: []string{"4 rows: 4 created"}, holds: four},
	{files: []string{"50-node-a.txt", "50-node-b.txt"}, code: exitIncomplete, says: []string{"2 rows: 2 left to decide", "--update"},
		holds: []string{"u1@z.example:1 1000.r1 C 1763900000000  ", "u2@z.example:2 1000.r2 C 1763990000000  "}},
	{files: []string{"50-node-a.txt", "50-node-b.txt"}, flags: []string{"--update"}, code: exitOK, says: []string{"2 rows: 1 updated, 1 folded", "whose access token expires later"},
		holds: []string{"u1@z.example:1 1000.r1 C 1763990000000  ", "u2@z.example:2 1000.r2 C 1763990000000  "}},
	{files: []string{"51-sdk2-one-user-two-clients.txt"}, code: exitIncomplete, says: []string{"1 created, 1 left to decide", "--client ID"},
		holds: []string{"ana@zylker.example 1000.r-billing 1000.CLIENT-BILLING 1763990000000 https://billing.zylker.example/cb "}},
	{files: []string{"51-sdk2-one-user-two-clients.txt"}, flags: []string{"--client", "1000.CLIENT-CRM"}, code: exitOK, says: []string{"1 row: 1 created", "1 row of other clients not imported"},
		holds: []string{"ana@zylker.example 1000.r-crm 1000.CLIENT-CRM 1763900000000 https://crm.zylker.example/cb "}},
	{files: []string{"51-sdk2-one-user-two-clients.txt"}, flags: []string{"--client", "1000.CLIENT"}, code: exitNotFound, says: []string{"no row of the source has this client ID"}},
}

// TestCases imports each case: what it says, what the destination holds, that every
// row has an outcome, and that nothing shows a credential.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		t.Run(strings.Join(c.files, "+")+strings.Join(c.flags, ""), func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "tokens.db")
			var code int
			var out, errs string
			for _, name := range c.files {
				seen[name] = true
				from := caseOf(t, name)
				_, dry, _ := try(t, "", append([]string{"import", from, "--to", "sqlite:" + to, "--json", "--dry-run"}, c.flags...)...)
				code, out, errs = try(t, "", append([]string{"import", from, "--to", "sqlite:" + to}, c.flags...)...)
				var report struct{ Rows []json.RawMessage }
				_ = json.Unmarshal([]byte(dry), &report) // An import that does not begin has none.
				if n := len(report.Rows); n > 0 && !strings.Contains(out, fmt.Sprintf("\n%d row", n)) {
					t.Errorf("the dry run has %d rows", n)
				}
			}
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(out+errs, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if c.code == exitFault && (out != "" || strings.Count(errs, "\n") != 1) {
				t.Error("it is not one line that it says")
			}
			if strings.Contains(out, "word for nothing") && !slices.ContainsFunc(c.says, func(s string) bool { return strings.Contains(s, "nothing") }) {
				t.Error("it counts words for nothing")
			}
			for _, credential := range []string{"1000.r", "1000.a", "1000.C", "cs1", "made.up"} {
				if strings.Contains(out+errs, credential) {
					t.Errorf("it shows %q", credential)
				}
			}
			if got := stored(t, to); !slices.Equal(got, c.holds) {
				t.Errorf("the destination holds %q, want %q", got, c.holds)
			}
			if t.Failed() {
				t.Log("\n" + out + errs)
			}
		})
	}
	files, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if !seen[filepath.Base(f)] {
			t.Errorf("%s is not tried", f)
		}
	}
}

// TestVariants imports what is like the cases, and is none of them.
func TestVariants(t *testing.T) {
	const header = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n"
	ana := []string{"ana 1000.r1 1000.C1 1763900000000 /cb .eu"}
	for name, c := range map[string]struct {
		file  string
		text  string
		code  int
		says  []string
		holds []string
	}{
		"camel case, another order, no ID": {"a.csv",
			"refreshToken,userName,accessToken,clientId,clientSecret,expiresAt,redirectUri,apiDomain\n1000.r1,ana,1000.a1,1000.C1,s,1763900000000,https://zylker.example/cb,https://www.zohoapis.eu\n",
			exitOK, []string{"1 created"}, ana},
		"a column more": {"a.csv", strings.TrimSuffix(header, "\n") + ",scope\n1,ana,1000.C1,s,1000.r1,1000.a1,,1763900000000,https://zylker.example/cb,https://www.zohoapis.eu,all\n",
			exitIncomplete, []string{"1 created", "column scope is not understood and was left behind, in rows: 1"}, ana},
		"a column more that is empty": {"a.csv", strings.TrimSuffix(header, "\n") + ",scope\n1,ana,1000.C1,s,1000.r1,1000.a1,,1763900000000,https://zylker.example/cb,https://www.zohoapis.eu,NULL\n",
			exitOK, []string{"1 created"}, ana},
		"a column of another name in an SDK's place": {"a.csv", strings.Replace(header, "api_domain", "server", 1) + "1,ana,1000.C1,s,1000.r1,1000.a1,,1763900000000,https://zylker.example/cb,https://www.zohoapis.eu\n",
			exitIncomplete, []string{"1 created", "column server is not understood; by its place it was taken for api_domain"}, ana},
		"two names of one column": {"a.csv", strings.TrimSuffix(header, "\n") + ",email\n1,ana,1000.C1,s,1000.r1,1000.a1,,1763900000000,https://zylker.example/cb,https://www.zohoapis.eu,ana@zylker.example\n",
			exitIncomplete, []string{"column email is not understood"}, ana},
		"words for nothing": {"a.csv", header + `1,None,C,s,r1,a1,undefined,,nil,\N` + "\n2,NULL,C,s,r2,a2,(null),nan,<nil>,null\n",
			exitOK, []string{"2 created", "9 values are a word for nothing"}, []string{" r1 C   ", " r2 C   "}},
		"a word for nothing between quotes is a word": {"a.csv", header + `1,"None",C,s,r1,a1,,,,` + "\n" + `2,"NULL",C,s,r2,a2,,,,` + "\n",
			exitOK, []string{"2 created"}, []string{"None r1 C   ", "NULL r2 C   "}},
		"words for nothing in a table": {"a.sql",
			`CREATE TABLE oauthtoken(id TEXT, user_name TEXT, refresh_token TEXT, access_token TEXT, note TEXT);
			INSERT INTO oauthtoken VALUES('1','NULL','r1','a1','null'),('2','\N','r2','None',NULL),('3','undefined','r3','',''),('4','null and void','r4','nil','')`,
			exitOK, []string{"4 created", "5 values are a word for nothing"}, []string{" r1    ", " r2    ", " r3    ", "null and void r4    "}},
		"a table without IDs": {"a.sql",
			`CREATE TABLE oauthtoken(useridentifier TEXT, accesstoken TEXT, refreshtoken TEXT, expirytime BIGINT);
			INSERT INTO oauthtoken VALUES('ana','1000.a1','1000.r1',1763900000000)`,
			exitOK, []string{"1 created"}, []string{"ana 1000.r1  1763900000000  "}},
		"expiries in a table": {"a.sql",
			`CREATE TABLE oauthtoken(id TEXT, email TEXT, refresh_token TEXT, access_token TEXT, expires_at);
			INSERT INTO oauthtoken VALUES('1','a','r1','x1',1763900000000.0),('2','b','r2','x2',1763900000.25),('3','c','r3','x3','2025-11-23T12:13:20Z'),
			('4','d','r4','x4','2025-11-23 12:13:20'),('5','e','r5','x5',3600),('6','f','r6','x6','3600000'),('7','g','r7','x7','soon'),('8','h','r8','x8',x'31')`,
			exitOK, []string{"8 created", "has no time zone; taken as UTC", "a duration", "not a time in epoch"},
			[]string{"a r1  1763900000000  ", "b r2  1763900000250  ", "c r3  1763900000000  ", "d r4  1763900000000  ", "e r5    ", "f r6    ", "g r7    ", "h r8    "}},
		"a token that is an object": {"a.sql",
			`CREATE TABLE oauthtoken(id TEXT, email TEXT, refresh_token TEXT, access_token TEXT); INSERT INTO oauthtoken VALUES('1','a',x'ff','x1'),('2','b','r2','x2')`,
			exitIncomplete, []string{"1 created, 1 refused", "row 1 (id "}, []string{"b r2    "}},
		"an ownerless row of another client": {"a.csv", header + "1,ana,C,s,r1,a1,g1,1763900000000,,\n2,,D,t,r2,a2,g1,1763990000000,,\n",
			exitIncomplete, []string{"1 created, 1 left to decide", "row 1"}, []string{"ana r1 C 1763900000000  "}},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "tokens.db")
			code, out, errs := try(t, "", "import", source(t, c.file, c.text), "--to", "sqlite:"+to)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if got := stored(t, to); !slices.Equal(got, c.holds) {
				t.Errorf("the destination holds %q, want %q", got, c.holds)
			}
			if t.Failed() {
				t.Log("\n" + out + errs)
			}
		})
	}
}
