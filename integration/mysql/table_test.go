package mysql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// The table as the SDKs' documentation creates it, and as that of older SDKs did.
const (
	sdkTable = `create table oauthtoken (id varchar(10) not null, user_name varchar(255), client_id varchar(255),
		client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
		expiry_time varchar(20), redirect_url varchar(255), api_domain varchar(255), primary key (id)) engine=InnoDB`
	secondForm = `create table oauthtoken (id varchar(255) not null, user_mail varchar(255) not null, client_id varchar(255),
		client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
		expiry_time varchar(20), redirect_url varchar(255), primary key (id)) engine=InnoDB`
	firstForm = `create table oauthtoken (id int not null auto_increment, user_mail varchar(255) not null,
		client_id varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
		expiry_time varchar(20), primary key (id)) engine=InnoDB`
)

func millis(n int64) time.Time { return time.UnixMilli(n).UTC() }

func full(user, tail string) tokenstore.OAuthToken {
	return tokenstore.OAuthToken{
		UserName: user, ClientID: "client-" + tail, ClientSecret: "secret-" + tail, RefreshToken: "refresh-" + tail,
		AccessToken: "access-" + tail, GrantToken: "grant-" + tail, RedirectURL: "https://zylker.example/" + tail + "?a=1,2&b=%20",
		APIDomain: "https://www.zohoapis.eu", Expiry: millis(1763900000000),
	}
}

func save(t testing.TB, s tokenstore.Store, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	saved, err := s.SaveToken(t.Context(), token)
	must(t, err)
	return saved
}

func find(t testing.TB, s tokenstore.Store, query tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	found, err := s.FindToken(t.Context(), query)
	must(t, err)
	return found
}

func all(t testing.TB, s tokenstore.Store) []tokenstore.OAuthToken {
	t.Helper()
	tokens, err := s.GetTokens(t.Context())
	must(t, err)
	return tokens
}

// older returns a database with such a table and rows.
func older(t *testing.T, statements ...string) database {
	t.Helper()
	d := newDatabase(t)
	run(t, d.raw(t), statements...)
	return d
}

// similar are strings that most collations take for the same.
var similar = []string{
	"user@zylker.example", "User@zylker.example", "user@zylker.example ", "user@zylker.example  ", "üser@zylker.example", "usér@zylker.example",
	"straße", "strasse", "ß", "ss",
}

// TestMergedUsers: a diagnosis names the tokens whose users an SDK on the same table would take
// for one, and no user that it would not.
func TestMergedUsers(t *testing.T) {
	t.Parallel()
	rows := []string{
		"insert into oauthtoken (id, user_name, access_token) values ('1', 'amelia@zylker.example', 'a1'), ('2', 'Amelia@zylker.example', 'a2'), " +
			"('3', 'ben@zylker.example', 'a3'), ('4', 'ben@zylker.example', 'a4'), ('5', null, 'a5'), ('6', '', 'a6'), ('7', 'cleo', 'a7'), ('8', 'cleo ', 'a8'), ('90', 'Amelia@zylker.example', 'a9')",
	}
	for n := range 30 {
		rows = append(rows, fmt.Sprintf("insert into oauthtoken (id, user_name) values ('%d', 'u%d'), ('%d', 'U%d')", 100+2*n, n, 101+2*n, n))
	}
	for form, want := range map[string]string{
		"latin1_swedish_ci": "1 and 2; 100 and 101; 102 and 103;", "utf8mb4_general_ci": "; others.", "utf8mb4_bin": ": 7 and 8.", "utf8mb4_nopad_bin": "",
	} {
		set, _, _ := strings.Cut(form, "_")
		table := strings.Replace(sdkTable, "engine=InnoDB", "engine=InnoDB default charset="+set+" collate="+form, 1)
		d := older(t, append([]string{table}, rows...)...)
		s, err := sqlstore.OpenMySQL(t.Context(), d.config(d.name), sqlstore.WithReadOnly())
		must(t, err)
		findings, err := s.Diagnose(t.Context(), tokenstore.RoleReader)
		must(t, err)
		got := ""
		for _, f := range findings {
			if f.Code == "users-merged" {
				got = f.What
			}
		}
		if !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "3 and 4") || strings.Contains(got, "zylker") || len(got) > 1000 {
			t.Errorf("%s: %q, want %q", form, got, want)
		}
		must(t, s.Close())
	}
}

// TestCollations saves strings that the column's collation takes for equal as users,
// refresh, access and grant tokens: each finds its own token.
func TestCollations(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		"latin1 collate latin1_swedish_ci", "latin1 collate latin1_general_cs", "utf8mb4 collate utf8mb4_general_ci", "utf8mb4 collate utf8mb4_unicode_ci",
		"utf8mb3 collate utf8mb3_general_ci", "utf8mb4 collate utf8mb4_bin", "binary", "ucs2 collate ucs2_general_ci",
	} {
		t.Run(strings.ReplaceAll(form, " collate ", "-"), func(t *testing.T) {
			t.Parallel()
			d := older(t, sdkTable+" default charset="+form)
			s := d.open(t)
			var want []tokenstore.OAuthToken
			for _, name := range similar {
				want = append(want, save(t, s, tokenstore.OAuthToken{UserName: name, RefreshToken: name, AccessToken: name, GrantToken: name, ClientID: "c", ClientSecret: "s"}))
			}
			// A token is not found by a string that only differs in what the collation ignores.
			for i, name := range similar {
				if want[i].ID != fmt.Sprint(i+1) {
					t.Errorf("%q was saved as %v", name, want[i])
				}
				for kind, query := range map[string]tokenstore.OAuthToken{
					"user": {UserName: name}, "access": {AccessToken: name},
					"refresh": {RefreshToken: name, ClientID: "c", ClientSecret: "s"}, "grant": {GrantToken: name, ClientID: "c", ClientSecret: "s"},
				} {
					if got := find(t, s, query); got != want[i] {
						t.Errorf("%s %q: found %v", kind, name, got)
					}
				}
				changed := save(t, s, tokenstore.OAuthToken{UserName: name, AccessToken: fmt.Sprint("fresh ", i)})
				if changed.ID != want[i].ID || changed.RefreshToken != name {
					t.Errorf("%q: saved %v", name, changed)
				}
			}
			for _, name := range []string{"USER@zylker.example", "user@zylker.example\t", "STRASSE", "学院", "💾", "u\u0308ser@zylker.example"} {
				if got, err := s.FindToken(t.Context(), tokenstore.OAuthToken{UserName: name}); !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("%q: %v, %v, want ErrNotFound", name, got, err)
				}
			}
			for _, token := range want[1:] {
				must(t, s.DeleteToken(t.Context(), token.ID))
			}
			if got := all(t, s); len(got) != 1 || got[0].UserName != similar[0] {
				t.Errorf("left %v", got)
			}
		})
	}
}

// TestIDsOfOneCollation has IDs that the primary key takes for one: each is deleted and
// found alone, and a second one is refused.
func TestIDsOfOneCollation(t *testing.T) {
	t.Parallel()
	s := older(t, sdkTable+" default charset=latin1", "insert into oauthtoken (id, user_name, access_token) values ('py-A', 'u1', 'a1')").open(t)
	if _, err := s.FindTokenByID(t.Context(), "PY-a"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	must(t, s.DeleteToken(t.Context(), "py-a"))
	if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{ID: "py-a", UserName: "u2", AccessToken: "a2"}); !errors.Is(err, tokenstore.ErrInvalidToken) ||
		!strings.Contains(err.Error(), "another ID") {
		t.Errorf("%v, want ErrInvalidToken", err)
	}
	if got := all(t, s); len(got) != 1 || got[0].ID != "py-A" || got[0].UserName != "u1" {
		t.Errorf("the table has %v", got)
	}
}

// TestValuesThatDoNotFit has values that a column of the SDKs' table cannot hold: nothing
// of them is stored.
func TestValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	s := older(t, sdkTable+" default charset=latin1", "insert into oauthtoken (id, user_name, access_token) values ('1', 'u1', 'a1')").open(t)
	long := strings.Repeat("hush", 64)
	for name, c := range map[string]struct {
		token tokenstore.OAuthToken
		kind  error
		says  string
	}{
		"insert":    {tokenstore.OAuthToken{UserName: "u2", AccessToken: long}, tokenstore.ErrTooLarge, "widen the column"},
		"update":    {tokenstore.OAuthToken{UserName: "u1", AccessToken: long}, tokenstore.ErrTooLarge, "widen the column"},
		"ID":        {tokenstore.OAuthToken{ID: "hush-hush-hush", AccessToken: "a2"}, tokenstore.ErrTooLarge, "widen the column"},
		"character": {tokenstore.OAuthToken{UserName: "u3-hush", AccessToken: "a3", ClientSecret: "学院"}, tokenstore.ErrInvalidToken, "columns"},
	} {
		_, err := s.SaveToken(t.Context(), c.token)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "hush") {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
	if got := all(t, s); len(got) != 1 || got[0].AccessToken != "a1" {
		t.Errorf("the table has %v", got)
	}
	if saved := save(t, s, tokenstore.OAuthToken{UserName: "u4", AccessToken: "a4"}); saved.ID != "2" {
		t.Errorf("a save that failed used up a number: %v", saved)
	}
}

func TestSecondForm(t *testing.T) {
	t.Parallel()
	d := older(t, secondForm, `insert into oauthtoken values ('python_x_eu_1f2e', 'u1', 'c1', 's1', 'r1', 'a1', 'g1', '1763900000000', 'd1')`)
	s := d.open(t)
	want := tokenstore.OAuthToken{ID: "python_x_eu_1f2e", UserName: "u1", ClientID: "c1", ClientSecret: "s1",
		RefreshToken: "r1", AccessToken: "a1", GrantToken: "g1", Expiry: millis(1763900000000), RedirectURL: "d1"}
	if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got != want {
		t.Errorf("found %v, want %v", got, want)
	}
	if saved := save(t, s, tokenstore.OAuthToken{UserName: "u1", AccessToken: "a2"}); saved.ID != want.ID || saved.RefreshToken != "r1" {
		t.Errorf("saved %v", saved)
	}
	if got := text(t, d.raw(t), "select user_mail from oauthtoken where id = ?", save(t, s, tokenstore.OAuthToken{UserName: "u2", AccessToken: "a3"}).ID); got != "u2" {
		t.Errorf("user_mail is %s, want u2", got)
	}
	for name, token := range map[string]tokenstore.OAuthToken{
		"api_domain": {UserName: "u1", AccessToken: "a4", APIDomain: "https://www.zohoapis.eu"},
		"":           {AccessToken: "a5"}, // The column user_mail may not be NULL.
	} {
		if _, err := s.SaveToken(t.Context(), token); !errors.Is(err, tokenstore.ErrInvalidToken) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want ErrInvalidToken", name, err)
		}
	}
	if got := text(t, d.raw(t), "select count(*) from information_schema.columns where table_schema = database() and table_name = 'oauthtoken'"); got != "9" {
		t.Errorf("the table has %s columns, want 9", got)
	}
}

func TestFirstForm(t *testing.T) {
	t.Parallel()
	d := older(t, firstForm, `insert into oauthtoken values (7, 'u1', 'c1', 'r1', 'a1', 'g1', '1763900000')`)
	s := d.open(t)
	if got := find(t, s, tokenstore.OAuthToken{UserName: "u1"}); got.ID != "7" || !got.Expiry.Equal(millis(1763900000000)) {
		t.Errorf("found %v", got)
	}
	if id := save(t, s, tokenstore.OAuthToken{UserName: "u2", AccessToken: "a2"}).ID; id != "8" {
		t.Errorf("ID %q, want 8", id)
	}
	for _, id := range []string{"007", "7.0", "7 ", "7abc", "seven", "99999999999999999999"} {
		if _, err := s.FindTokenByID(t.Context(), id); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("find %q: %v, want ErrNotFound", id, err)
		}
		must(t, s.DeleteToken(t.Context(), id))
		if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{ID: id, UserName: "u-" + id, AccessToken: "a-" + id}); !errors.Is(err, tokenstore.ErrInvalidToken) {
			t.Errorf("save %q: %v, want ErrInvalidToken", id, err)
		}
	}
	// The old SDK lets the database number its rows.
	run(t, d.raw(t), "insert into oauthtoken (user_mail, access_token) values ('theirs', 'a9')")
	if got := find(t, s, tokenstore.OAuthToken{UserName: "theirs"}); got.ID != "9" {
		t.Errorf("found %v", got)
	}
	if id := save(t, s, tokenstore.OAuthToken{UserName: "u10", AccessToken: "a10"}).ID; id != "10" {
		t.Errorf("ID %q, want 10", id)
	}
	if n := len(all(t, s)); n != 4 {
		t.Errorf("%d tokens, want 4", n)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for name, form := range map[string][]string{
		"first":  {firstForm, `insert into oauthtoken values (9, 'u9', 'c1', 'r9', 'a9', 'g9', '1763900000'), (10, 'u10', 'c1', 'r10', 'a10', null, '')`},
		"second": {secondForm, `insert into oauthtoken values ('9', 'u9', 'c1', 's1', 'r9', 'a9', 'g9', '1763900000000', 'd9'), ('10', 'u10', 'c1', 's1', 'r10', 'a10', null, null, null)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := older(t, form...)
			reader := d.open(t) // It is open while another upgrades.
			before := all(t, reader)
			s := d.open(t, sqlstore.WithUpgrade())
			if after := all(t, s); len(after) != 2 || after[0] != before[0] || after[1] != before[1] {
				t.Errorf("the rows are %v, they were %v", after, before)
			}
			if got := find(t, reader, tokenstore.OAuthToken{UserName: "u10"}); got.ID != "10" {
				t.Errorf("the store that was open found %v", got)
			}
			if saved := save(t, s, full("u11", "11")); saved.ID != "11" {
				t.Errorf("saved %v", saved)
			}
			if got := save(t, reader, full("u12", "12")); got.APIDomain == "" {
				t.Errorf("saved %v", got)
			}
			// A reader by position, as the SDKs are.
			row := make([]any, 10)
			var cells [10]string
			for i := range row {
				row[i] = &cells[i]
			}
			must(t, d.raw(t).QueryRow("select * from oauthtoken where id = '11'").Scan(row...))
			if cells[1] != "u11" || cells[4] != "refresh-11" || cells[9] != "https://www.zohoapis.eu" {
				t.Errorf("read by position: %q", cells)
			}
			d.open(t, sqlstore.WithUpgrade()) // Nothing is left to do.
		})
	}
	t.Run("unknown column", func(t *testing.T) {
		t.Parallel()
		d := older(t, secondForm, "alter table oauthtoken add column note text", "insert into oauthtoken (id, user_mail, access_token) values ('1', 'u1', 'a1')")
		if _, err := sqlstore.OpenMySQL(t.Context(), d.config(d.name), sqlstore.WithUpgrade()); !errors.Is(err, tokenstore.ErrInvalidArgument) {
			t.Errorf("%v, want ErrInvalidArgument", err)
		}
		if got := find(t, d.open(t), tokenstore.OAuthToken{UserName: "u1"}); got.ID != "1" {
			t.Errorf("found %v", got)
		}
	})
}

// TestTableThatIsNone has tables that are not one of tokens, or that no store can rely on.
// Nothing is created beside them.
func TestTableThatIsNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ create, says string }{
		"other columns": {"create table oauthtoken (a int, b int)", "not a table of tokens"},
		"no key":        {"create table oauthtoken (id varchar(10), access_token text, refresh_token text) engine=InnoDB", "primary key"},
		"MyISAM":        {strings.Replace(sdkTable, "InnoDB", "MyISAM", 1), "ENGINE=InnoDB"},
		"view":          {"create view oauthtoken as select '1' as id, 'a' as access_token, 'r' as refresh_token", "view"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := older(t, c.create)
			_, err := sqlstore.OpenMySQL(t.Context(), d.config(d.name))
			if tokenstore.Kind(err) == nil || tokenstore.Retryable(err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("opened: %v, want %q", err, c.says)
			}
			if n := text(t, d.raw(t), "select count(*) from information_schema.tables where table_schema = database() and table_name like 'tokenstore%'"); n != "0" {
				t.Errorf("%s tables were made", n)
			}
		})
	}
}

// TestOrder has rows of an SDK between ours: ours have their order, and theirs follow by
// number, also after a row was deleted and its ID came back.
func TestOrder(t *testing.T) {
	t.Parallel()
	d := older(t, sdkTable, "insert into oauthtoken (id, user_name) values ('10', 'ten'), ('9', 'nine'), ('word', 'word')")
	s := d.open(t)
	users := func() (names []string) {
		for _, token := range all(t, s) {
			names = append(names, token.UserName)
		}
		return names
	}
	want := func(names ...string) {
		t.Helper()
		if got := users(); fmt.Sprint(got) != fmt.Sprint(names) {
			t.Errorf("listed %v, want %v", got, names)
		}
	}
	want("nine", "ten", "word")
	token := func(id, user string) {
		save(t, s, tokenstore.OAuthToken{ID: id, UserName: user, AccessToken: "a-" + user})
	}
	token("5", "five")
	want("nine", "ten", "word", "five")
	run(t, d.raw(t), "insert into oauthtoken (id, user_name) values ('4', 'four'), ('11', 'eleven')")
	want("nine", "ten", "word", "five", "four", "eleven")
	must(t, s.DeleteToken(t.Context(), "9"))
	token("1", "one")
	token("9", "nine again")
	want("ten", "word", "five", "four", "eleven", "one", "nine again")
	// An SDK deletes a row and adds it: it keeps the age that the store knows.
	run(t, d.raw(t), "delete from oauthtoken where id = '10'", "insert into oauthtoken (id, user_name) values ('10', 'ten again')")
	if got := len(users()); got != 7 {
		t.Errorf("%d tokens, want 7", got)
	}
	must(t, s.DeleteTokens(t.Context()))
	if got := text(t, d.raw(t), "select count(*) from tokenstore_rows"); got != "0" {
		t.Errorf("%s ages are left", got)
	}
	if saved := save(t, s, tokenstore.OAuthToken{UserName: "u", AccessToken: "a"}); saved.ID != "12" {
		t.Errorf("saved %v, want the ID 12", saved)
	}
}
