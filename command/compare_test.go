package command

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
)

// TestCompareAfterAnImport: an import makes the same tokens, under other IDs.
func TestCompareAfterAnImport(t *testing.T) {
	from := "file:" + fixture(t, pythonFile)
	to := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
	if code, _, errs := try(t, "", "import", from, "--to", to); code != exitOK {
		t.Fatal(errs)
	}
	for _, pair := range [][2]string{{from, to}, {to, from}} {
		code, out, errs := try(t, "", "compare", pair[0], pair[1])
		if code != exitOK || out != "5 same\n" {
			t.Errorf("%v: exit code %d\n%s%s", pair, code, out, errs)
		}
	}
}

// compared compares two lists of tokens, in two databases, and returns each difference as
// "user: outcome fields".
func compared(t *testing.T, here, there []tokenstore.OAuthToken, flags ...string) (code int, differences []string, counts map[string]int) {
	t.Helper()
	args := []string{"compare", "--json"}
	for _, tokens := range [][]tokenstore.OAuthToken{here, there} {
		at := "sqlite:" + filepath.Join(t.TempDir(), "tokens.db")
		store, err := tokenstore.Open(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			if _, err := store.SaveToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		args = append(args, at)
	}
	code, out, errs := try(t, "", append(args, flags...)...)
	var report struct {
		Differences []difference
	}
	counts = map[string]int{}
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(out), &report) != nil || json.Unmarshal([]byte(out), &all) != nil {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for name, value := range all {
		var n int
		if json.Unmarshal(value, &n) == nil && n > 0 {
			counts[name] = n
		}
	}
	for _, d := range report.Differences {
		differences = append(differences, strings.TrimSpace(d.User+": "+d.Outcome+" "+strings.Join(d.Fields, " ")))
	}
	slices.Sort(differences)
	return code, differences, counts
}

func TestCompareNamesFields(t *testing.T) {
	base := numbered("1", "2", "3")
	every := func(t *tokenstore.OAuthToken) {
		*t = tokenstore.OAuthToken{UserName: t.UserName, ClientID: "x", ClientSecret: "x", RefreshToken: "x", AccessToken: "x", GrantToken: "x", RedirectURL: "x", APIDomain: "x", Expiry: time.UnixMilli(1763900000000)}
	}
	ownerless := func(t *tokenstore.OAuthToken) { t.UserName = "" }
	stranger := func(t *tokenstore.OAuthToken) { t.UserName = "another" }
	for _, c := range []struct {
		name   string
		change func(*tokenstore.OAuthToken)
		flags  []string
		want   []string
	}{
		{"the same", func(*tokenstore.OAuthToken) {}, nil, nil},
		{"another ID", func(t *tokenstore.OAuthToken) { t.ID = "77" }, nil, nil},
		{"all fields", every, nil, []string{"user2: differs client_id client_secret refresh_token access_token grant_token expiry_time redirect_url api_domain"}},
		{"some are ignored", func(t *tokenstore.OAuthToken) { t.AccessToken, t.Expiry = "x", noon }, []string{"--ignore", "access_token", "--ignore", "expiry_time"}, nil},
		{"ownerless there", ownerless, nil, []string{"user2: differs user_name"}},
		{"another's", stranger, nil, []string{"another: only in OTHER", "user2: only in STORE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			there := slices.Clone(base)
			c.change(&there[1])
			code, got, counts := compared(t, base, there, c.flags...)
			want := exitOK
			if len(c.want) > 0 {
				want = exitIncomplete
			}
			if code != want || !slices.Equal(got, c.want) {
				t.Errorf("exit code %d, %q, want %d, %q", code, got, want, c.want)
			}
			if n := counts["same"]; n != 3 && len(c.want) == 0 || n != 2 && len(c.want) > 0 {
				t.Errorf("counts %v", counts)
			}
		})
	}
	code, got, counts := compared(t, base[:2], base[1:])
	if code != exitIncomplete || !slices.Equal(got, []string{"user1: only in STORE", "user3: only in OTHER"}) || counts["same"] != 1 || counts["only_in_store"] != 1 || counts["only_in_other"] != 1 {
		t.Errorf("exit code %d, %q, %v", code, got, counts)
	}
}

// TestCompareOfRowsThatShareKeys: of several rows with one user, each is compared with one.
func TestCompareOfRowsThatShareKeys(t *testing.T) {
	lines := "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain\n"
	here := source(t, "a.txt", lines+"1,ana,C,s,r1,a1,,,,\n2,ana,C,s,r2,a2,,,,\n3,short\n")
	there := source(t, "b.txt", lines+"1,ana,C,s,r2,a2,,,,\n")
	code, out, errs := try(t, "", "compare", here, there)
	if code != exitIncomplete || !strings.Contains(out, "\n1 same, 1 only in STORE, 1 unreadable\n") || !strings.Contains(out, "line 4") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	same := source(t, "c.txt", lines+"1,ana,C,s,r2,a2,,,,\n2,ana,C,s,r1,a1,,,,\n")
	if code, out, errs := try(t, "", "compare", source(t, "d.txt", lines+"1,ana,C,s,r1,a1,,,,\n2,ana,C,s,r2,a2,,,,\n"), same); code != exitOK || out != "2 same\n" {
		t.Errorf("in another order: exit code %d\n%s%s", code, out, errs)
	}
}

func TestCompareWantsTwoStores(t *testing.T) {
	here := used(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{here}, exitUsage},
		{[]string{here, here}, exitOK},
		{[]string{here, "memory:"}, exitNotFound},
		{[]string{"memory:", here}, exitNotFound},
		{[]string{here, here, "--ignore", "fake-refresh"}, exitUsage},
	} {
		if code, out, errs := try(t, "", append([]string{"compare"}, c.args...)...); code != c.code {
			t.Errorf("%v: exit code %d, want %d\n%s%s", c.args, code, c.code, out, errs)
		}
	}
	if _, out, _ := try(t, "", "__complete", "compare", "memory:", "sq"); !strings.Contains(out, "sqlite:") {
		t.Errorf("the second store is completed as %q", out)
	}
}

// TestFieldsAreThoseThatAreStored.
func TestFieldsAreThoseThatAreStored(t *testing.T) {
	token := tokenstore.OAuthToken{UserName: "u"}
	for _, f := range fields {
		if f.set == nil {
			continue
		}
		if err := f.set(&token, "1763900000000"); err != nil || f.get(token) != "1763900000000" {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	data, err := tokenstore.EncodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]string
	if err := json.Unmarshal(data, &stored); err != nil || len(stored) != len(fields) {
		t.Errorf("%d fields, and %d are stored: %v", len(fields), len(stored), err)
	}
	for _, f := range fields {
		if stored[f.name] != f.get(token) {
			t.Errorf("%s is not what is stored under that name", f.name)
		}
	}
}
