package filestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// samples are the files of testdata that are read whole, with the number of
// the line of each row.
var samples = map[string][]int{
	"python-sdk-8.0-filestore.txt": {2, 3, 4, 5, 6},
	"node-sdk-8.0-filestore.txt":   {2, 3, 4, 5},
	"java.txt":                     {2, 3, 4},
	"odd-expiry.txt":               {2, 3, 4},
	"ruby.txt":                     {2, 3, 4},
	"typescript.txt":               {2, 3, 4},
	"csharp-windows.txt":           {2, 3, 4},
	"csharp-linux.txt":             {2, 3, 4},
	"php.txt":                      {2, 3, 4},
	"scala.txt":                    {2, 3, 4},
	"python-windows-delete.txt":    {2, 3, 4},
	"python-bom.txt":               {2, 3, 4},
	"python-no-header.txt":         {1, 2, 3},
	"quote-all.txt":                {2, 3, 4},
	"blank-lines.txt":              {5, 8, 11},
	"expires-in.txt":               {2, 3, 4},
	"other-names.txt":              {2, 3, 4},
	"other-order.txt":              {2, 3, 4},
	"more-columns.txt":             {2, 3, 4},
	"mixed-line-ends.txt":          {2, 3, 4},
	"python-2.txt":                 {2, 3},
	"node-2.txt":                   {2, 3},
	"python-2-upgraded.txt":        {2, 3},
	"node-2-upgraded.txt":          {2, 3},
	"python-1.txt":                 {2, 3},
	"empty.txt":                    {},
	"header-only.txt":              {},
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// want returns the row with that number in the samples that are not fixtures.
func want(name string, n int) tokenstore.OAuthToken {
	users := []string{"amelia@zylker.example:1", "o'brien@zylker.example:2", ""}
	digit := string(rune('0' + n))
	w := tokenstore.OAuthToken{
		ID: digit, UserName: users[n-1], ClientID: "1000.CLIENT" + digit, ClientSecret: "cs-fake-" + digit,
		RefreshToken: "1000.fake-refresh-" + digit, AccessToken: "1000.fake-access-" + digit,
		Expiry:      time.UnixMilli(1763900000000 + int64(n)*1000).UTC(),
		RedirectURL: "https://zylker.example/cb", APIDomain: "https://www.zohoapis.com",
	}
	switch {
	case name == "java.txt" && n == 2:
		w.RedirectURL += "?x=1,2"
	case strings.Contains(name, "-2"):
		w.ID = []string{"python_amelia_prd_sh-1", "python_obrien_prd_sh-2"}[n-1]
		w.APIDomain = ""
	case name == "python-1.txt":
		w.ID, w.ClientSecret, w.RedirectURL, w.APIDomain = "", "", "", ""
		if n == 1 {
			w.GrantToken = "1000.fake-grant-1"
		}
	}
	if name == "odd-expiry.txt" && w.ID == "2" {
		w.Expiry = time.Time{}
	}
	return w
}

func TestReadSamples(t *testing.T) {
	for name, lines := range samples {
		t.Run(name, func(t *testing.T) {
			rows, err := filestore.Read(t.Context(), bytes.NewReader(sample(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != len(lines) {
				t.Fatalf("%d rows, want %d", len(rows), len(lines))
			}
			for i, r := range rows {
				if r.Line != lines[i] {
					t.Errorf("row %d is on line %d, want %d", i+1, r.Line, lines[i])
				}
				if !strings.Contains(name, "sdk-8.0") && r.Token != want(name, i+1) {
					t.Errorf("row %d differs:\n%s\n%s", i+1, encoded(t, r.Token), encoded(t, want(name, i+1)))
				}
			}
		})
	}
}

// encoded shows a fake token whole.
func encoded(t testing.TB, token tokenstore.OAuthToken) string {
	t.Helper()
	data, err := tokenstore.EncodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadFixtures(t *testing.T) {
	python, err := filestore.Read(t.Context(), bytes.NewReader(sample(t, "python-sdk-8.0-filestore.txt")))
	if err != nil {
		t.Fatal(err)
	}
	first := tokenstore.OAuthToken{
		ID: "1", UserName: "amelia.burrows@zylker.com:60001234567",
		ClientID: "1000.CLIENTAAAAAAAAAAAAAAAAAAAAAAAA", ClientSecret: "cs-fake-0001",
		RefreshToken: "1000.fake-refresh-0001", AccessToken: "1000.fake-access-0001", GrantToken: "1000.fake-grant-0001",
		Expiry:      time.UnixMilli(1763900000000).UTC(),
		RedirectURL: "https://zylker.example/oauth/callback?x=1,2", APIDomain: "https://www.zohoapis.com",
	}
	if got := python[0].Token; got != first {
		t.Errorf("first row: %s\nwant %s", encoded(t, got), encoded(t, first))
	}
	if got := python[1].Token.ClientSecret; got != `cs,with "quotes" and, commas` {
		t.Errorf("quoted value: %q", got)
	}
	if got := python[4].Token.UserName; got != "学院@zylker.jp:7" {
		t.Errorf("unicode value: %q", got)
	}
	if got, want := python[3].Token, (tokenstore.OAuthToken{ID: "4", AccessToken: "1000.fake-access-only-0004"}); got != want {
		t.Errorf("access-only row: %s", encoded(t, got))
	}
	node, err := filestore.Read(t.Context(), bytes.NewReader(sample(t, "node-sdk-8.0-filestore.txt")))
	if err != nil {
		t.Fatal(err)
	}
	if got := node[1].Token.ClientSecret; got != `cs-"quoted"-0002` {
		t.Errorf("value with bare quotes: %q", got)
	}
}

// broken are the files of testdata/broken: the lines that cannot be read, what
// is said about the first, and the IDs of the rows that can be read.
var broken = map[string]struct {
	lines    []int
	says     string
	readable string
}{
	"comma.txt":              {[]int{3}, "11 fields instead of 10; a value with a comma may lack its quotes", "1 3"},
	"short.txt":              {[]int{3}, "9 fields instead of 10", "1 3"},
	"same-id.txt":            {[]int{2, 4}, "the ID is also that of line 4", "2"},
	"open-quote.txt":         {[]int{3}, "a quote is not closed", "1 3"},
	"after-quote.txt":        {[]int{3}, "text follows a closing quote", "1 3"},
	"needless-quotes.txt":    {[]int{3}, "quotes that may belong to the value", "1 3"},
	"two-lines-or-one.txt":   {[]int{2}, "(to line 3)", "3"},
	"two-lines-too-many.txt": {[]int{3}, "11 fields instead of 10", "1 3"},
	"no-id.txt":              {[]int{3}, "no ID", "1 3"},
	"shifted.txt":            {[]int{3}, "a value with a comma may lack its quotes", "1 3"},
	"carriage-return.txt":    {[]int{3}, "a carriage return is inside the line", "1 3"},
	"latin-1.txt":            {[]int{3}, "user_name is not valid UTF-8", "1 3"},
	"columns.txt":            {[]int{1}, "11 fields where a header or a row of 10, 9 or 6 fields is expected", ""},
	"header.txt":             {[]int{1}, "neither a header nor a row for certain", ""},
	"utf-16.txt":             {[]int{1}, "the file is UTF-16", ""},
}

func TestReadBroken(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			rows, err := filestore.Read(t.Context(), bytes.NewReader(sample(t, "broken/"+name)))
			if !errors.Is(err, tokenstore.ErrUnreadable) {
				t.Fatalf("error: %v", err)
			}
			var unreadable *filestore.UnreadableError
			if !errors.As(err, &unreadable) || len(unreadable.Lines) != len(b.lines) {
				t.Fatalf("error: %v", err)
			}
			for i, l := range unreadable.Lines {
				if l.Line != b.lines[i] {
					t.Errorf("line %d, want %d", l.Line, b.lines[i])
				}
			}
			if !strings.Contains(unreadable.Lines[0].Problem, b.says) {
				t.Errorf("problem: %q, want %q", unreadable.Lines[0].Problem, b.says)
			}
			if strings.Contains(err.Error(), "fake") {
				t.Errorf("the error quotes the file: %v", err)
			}
			var ids []string
			for _, r := range rows {
				ids = append(ids, r.Token.ID)
			}
			if got := strings.Join(ids, " "); got != b.readable {
				t.Errorf("readable rows %q, want %q", got, b.readable)
			}
		})
	}
}

func TestUnreadableErrorNamesTenLines(t *testing.T) {
	e := &filestore.UnreadableError{}
	for i := range 12 {
		e.Lines = append(e.Lines, filestore.LineError{Line: i + 1, Problem: "no ID"})
	}
	text := e.Error()
	if !strings.Contains(text, "line 10:") || strings.Contains(text, "line 11:") || !strings.HasSuffix(text, "and 2 more lines") {
		t.Error(text)
	}
}

// Whoever takes the wrong one of the two kinds of files is told so.
func TestReadOfADatabase(t *testing.T) {
	data, err := os.ReadFile("../sqlstore/testdata/python-sdk-8.0-zohooauth.db")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := filestore.Read(t.Context(), bytes.NewReader(data))
	if len(rows) > 0 || !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), "sqlite:") {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestTokensYieldsAnErrorForEachLine: the tokens of the other lines come first, and a file
// that is no token file is one error, which is not that of a token.
func TestTokensYieldsAnErrorForEachLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.txt")
	text := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n" +
		"1,u1,c,s,r1,,,,,\n2,u2,c\n3,u3,c,s,r3,,,,,\n4,u4\n"
	for text, want := range map[string]string{text: "1 3 line 3 line 5", `{"id": "1"}`: "the file"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := filestore.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for token, err := range store.Tokens(t.Context()) {
			var line filestore.LineError
			switch {
			case err == nil:
				got = append(got, token.ID)
			case errors.Is(err, tokenstore.ErrUnreadable) && errors.As(err, &line):
				got = append(got, fmt.Sprint("line ", line.Line))
			case tokenstore.Kind(err) == nil && !tokenstore.Retryable(err):
				got = append(got, "the file")
			default:
				t.Error(err)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("yields %s, want %s", got, want)
		}
	}
}
