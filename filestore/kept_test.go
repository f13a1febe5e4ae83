package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"example.com/tokenstore"
)

// A document that is kept after it was written is the one that would be read from the file:
// after any changes, in the files of all SDKs, and in some with what these leave behind.
func TestKeptDocumentIsTheFile(t *testing.T) {
	files := map[string]string{
		"blank lines":   "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n\n1,u1,,,,a1,,,,\n\n\n2,u2,,,,a2,,soon,,\n\n",
		"quotes":        "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n1,u1,,,,\"a,1\",,,,\n2,u2,,,,\"a\n2\",,,,\n3,u3,,,,\"a3\",,,,\n",
		"no end":        "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\r\n1,u1,,,,a\"1,,,,\r\n2,u2,null,,,a2,,,,",
		"header alone":  "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain",
		"other columns": "note,refresh_token,access_token,id,user_name,api_domain\nx,r1,a1,1,u1,\ny,,a2,2,u2,\n",
	}
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(data)
	}
	kept := 0
	for name, text := range files {
		t.Run(name, func(t *testing.T) { kept += changeKept(t, text) })
	}
	if kept < 10*len(files) {
		t.Errorf("%d documents of %d files were kept, which is too few", kept, len(files))
	}
}

// changeKept changes a file many times, and returns how often its document was kept.
func changeKept(t *testing.T, text string) (kept int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, WithUpgrade())
	if err != nil {
		t.Fatal(err)
	}
	values := []string{"", "", "x", "y,z", `q"uo"te`, `"whole"`, "null", " space ", "two\nlines", "1700000000000"}
	random := rand.New(rand.NewPCG(1, uint64(len(text)))) // #nosec G404 -- a test.
	for range 40 {
		token := tokenstore.OAuthToken{UserName: fmt.Sprint("u", random.IntN(6))}
		for _, field := range []*string{&token.AccessToken, &token.RefreshToken, &token.RedirectURL, &token.APIDomain} {
			*field = values[random.IntN(len(values))]
		}
		if random.IntN(3) == 0 {
			token.Expiry = time.UnixMilli(1763900000000 + random.Int64N(1000)).UTC()
		}
		switch random.IntN(6) {
		case 0:
			err = s.DeleteToken(context.Background(), fmt.Sprint(random.IntN(8)))
		case 1:
			_, err = s.SaveTokens(context.Background(), []tokenstore.OAuthToken{token, {UserName: "u9", AccessToken: token.UserName}, token})
		default:
			_, err = s.SaveToken(context.Background(), token)
		}
		data, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil {
			continue // The file cannot hold it.
		}
		last := s.last.Load()
		if last == nil || last.doc == nil {
			continue
		}
		if want := parsed(data); string(last.doc.bytes()) == string(data) && !reflect.DeepEqual(withoutIndex(last.doc), withoutIndex(want)) {
			t.Fatalf("kept: %s\nread: %s\nof %q", shown(last.doc), shown(want), data)
		}
		if !last.stamp.exists() {
			kept++
		}
	}
	return kept
}

func withoutIndex(d *document) *document {
	c := *d
	c.index = nil
	if len(c.habits.needless) == 0 {
		c.habits.needless = nil
	}
	if len(c.problem) == 0 {
		c.problem = nil
	}
	return &c
}

func shown(d *document) string {
	text := fmt.Sprintf("%+v rows %d layout %v header %t problem %v mark %q\n", d.habits, d.rows, d.layout, d.header, d.problem, d.mark)
	for _, r := range d.records {
		text += fmt.Sprintf("  %d line %d marks %b %q %q", r.kind, r.line, r.marks, r.body, r.end)
		if r.row != nil {
			text += fmt.Sprintf(" id %s user %s odd %t", r.token.ID, r.token.UserName, r.oddExpiry)
		}
		text += "\n"
	}
	return text
}
