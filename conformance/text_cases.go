// Cases of hostile strings, IDs and keys: values that stores and formats are likely to change
// or confuse.

package conformance

import (
	"errors"
	"strings"

	"example.com/tokenstore"
)

// longText is the length of the longest string. It occurs twice in each of eight fields,
// 48 KiB in total, which even the services with the smallest secrets (64 KiB) store; data
// that is too large has a case of its own.
const longText = 3072

// hostile are strings that stores are likely to get wrong. The cases put one before and
// after each value, or use one as an ID.
var hostile = []struct{ name, text string }{
	{"quote", "'"},
	{"double-quote", `"`},
	{"backtick", "`"},
	{"comma", ","},
	{"semicolon", ";"},
	{"backslash", `\`},
	{"backslash-n", `\n\"\u0041`},
	{"newline", "\n"},
	{"carriage-return", "\r"},
	{"line-break", "\r\n"},
	{"tab", "\t"},
	{"nul", "\x00"},
	{"control", "\x01\x1b[31m\x7f"},
	{"space", " "},
	{"no-break-space", "\u00a0"},
	{"line-separator", "\u2028\u2029\u0085"},
	{"byte-order-mark", "\ufeff"},
	{"replacement", "\ufffd"},
	{"sql", "'; drop table oauthtoken; -- "},
	{"path", "../../etc/passwd"},
	{"windows-path", `..\..\c:\con`},
	{"braces", "{}"},
	{"json", `{"id":"x","refresh_token":"y"}`},
	{"brackets", "[]"},
	{"markup", "<a href='x'>&amp;</a>"},
	{"percent", "%s%d%00%2e%2f"},
	{"template", "${jndi:x}{{.}}$(id)"},
	{"glob", "*?[a-z]_%"},
	{"plus", "a+b=c&d"},
	{"slash", "/"},
	{"hash", "#"},
	{"at", "@:"},
	{"latin", "äöüßé"},
	{"right-to-left", "שלום\u202e"},
	{"chinese", "令牌"},
	{"emoji", "🔑👩‍👩‍👧"},
	{"combining", "e\u0301"},
	{"highest", "\U0010ffff"},
	{"long", strings.Repeat("0123456789abcdef", longText/16)},
}

// textCases store hostile strings in every field except the ID.
func textCases() []Case {
	var cases []Case
	for _, h := range hostile {
		cases = append(cases, Case{Name: "text-" + h.name, Rule: ruleTexts, refusable: true, run: func(t *trial) {
			t.seed(r1)
			t.texts(around(h.text, "first"), around(h.text, "second"))
		}})
	}
	return append(cases, Case{Name: "text-words", Rule: ruleTexts, refusable: true, run: words},
		Case{Name: "text-invalid-utf8", Rule: ruleUTF8, run: invalidUTF8})
}

// around returns a token with text before and after every value.
func around(text, name string) token {
	var tok token
	for _, f := range texts {
		value := name + "-" + f.name
		if f.credential {
			value = secret(value)
		}
		*f.of(&tok) = text + value + text
	}
	tok.Expiry = at(len(text))
	return tok
}

// texts saves first, changes it to second, and deletes it, with r1 stored as well.
func (t *trial) texts(first, second token) {
	saved, ok := t.saveOrRefused(first)
	if !ok {
		t.holds(r1)
		return
	}
	first.ID = saved.ID
	t.found("save", first)(saved, nil)
	t.holds(r1, first)

	second.ID = saved.ID
	changed, ok := t.saveOrRefused(second)
	if !ok {
		t.holds(r1, first)
		return
	}
	t.found("save the changed token", second)(changed, nil)
	t.holds(r1, second)
	if t.settings.reopen != nil {
		t.holdsBy(t.second(), []token{r1, second})
	}
	t.must("delete", t.store.DeleteToken(t.ctx, saved.ID))
	t.holds(r1)
	t.findsNone(token{UserName: second.UserName})
}

// saveOrRefused saves; ok is false if the store refused. A proper refusal is
// recorded as such, so that it can be declared missing.
func (t *trial) saveOrRefused(tok token) (saved token, ok bool) {
	t.settings.tick()
	saved, err := t.store.SaveToken(t.ctx, tok)
	switch {
	case err == nil:
		return saved, true
	case errors.Is(err, tokenstore.ErrInvalidToken), errors.Is(err, tokenstore.ErrTooLarge):
		t.refuses("save: %s (if the store cannot do this, declare it with WithMissing)", safe(err))
	default:
		t.fails("save: %s", safe(err))
	}
	return token{}, false
}

// words stores users whose name is a word that has a meaning for stores or formats.
func words(t *trial) {
	var rows []token
	for _, name := range []string{
		"null", "NULL", "nil", "None", "undefined", "true", "false", "0", "-1", "1e5", "NaN",
		"id", "user_name", "{}", "[]", `""`, "''", "%", "_", "*", ".", "..", "/", `\`, "?", "$1", ":id", "@p1", " ", "-", "--", "#",
	} {
		saved, ok := t.saveOrRefused(token{UserName: name, AccessToken: secret("access-of-" + name), APIDomain: name})
		if !ok {
			return
		}
		rows = append(rows, saved)
	}
	t.holds(rows...)
}

// invalidUTF8 tries strings that are not valid UTF-8 in every field.
func invalidUTF8(t *trial) {
	t.seed(r1)
	for _, bad := range []string{"\xff", "a\xc3", "\xed\xa0\x80"} {
		for _, f := range texts {
			change := token{UserName: "u1", AccessToken: aNew}
			insert := token{UserName: "u9", RefreshToken: rNew}
			for _, tok := range []token{change, insert} {
				value := bad
				if f.credential {
					value = mark + bad
				}
				*f.of(&tok) = value
				_, err := t.store.SaveToken(t.ctx, tok)
				t.matchesKind("save with such a "+f.name, err, tokenstore.ErrInvalidToken)
			}
		}
		_, err := t.store.SaveToken(t.ctx, token{ID: bad, AccessToken: aNew})
		t.matchesKind("save with such an ID", err, tokenstore.ErrInvalidToken)
		if got, err := t.store.FindToken(t.ctx, token{UserName: "u1" + bad}); err == nil {
			t.fails("find by such a user: found the token %s", show(got.ID, false))
		}
	}
	t.holds(r1)
}

// idCases store tokens under hostile IDs.
func idCases() []Case {
	var cases []Case
	for _, h := range hostile {
		cases = append(cases, Case{Name: "id-" + h.name, Rule: ruleOpaque, refusable: true, run: func(t *trial) {
			t.seed(r1)
			t.ids(h.text, h.text+h.text, "a"+h.text, h.text+"a")
		}})
	}
	return append(cases,
		Case{Name: "id-words", Rule: ruleDistinct, refusable: true, run: func(t *trial) {
			t.seed(r1)
			t.ids("0", "01", "001", "1.0", "1e0", "0x1", "-1", "+1", "2147483648", "9223372036854775808", "null", "NULL", "id", "ID", "true",
				".", "..", "a/b", "a%2Fb", "a%2fb", "a_2Fb", "a_2fb", "a_b", "a__b", "a-b", "a.b", "a:b", "a b", "a+b", "a%20b", "_", "__", "-", "--", "con", "aux.txt", "index", "root", "tokens", "tokens/1")
		}},
		Case{Name: "id-case", Rule: ruleBytes, refusable: true, run: func(t *trial) {
			t.seed(r1)
			t.ids("abc", "ABC", "Abc", "abC", "ä", "Ä", "ß", "ss", "SS", "ı", "i", "I", "İ")
		}},
		Case{Name: "id-long-pair", Rule: ruleDistinct, refusable: true, run: func(t *trial) {
			t.seed(r1)
			long := strings.Repeat("x", 4096)
			t.ids(long, long+"y", long+"z", long[1:], strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 512))
		}},
		Case{Name: "id-is-no-credential", Rule: ruleByID, run: func(t *trial) {
			t.seed(r1)
			for _, id := range []string{r1.UserName, r1.RefreshToken, r1.AccessToken, r1.GrantToken} {
				got, err := t.store.FindTokenByID(t.ctx, id)
				t.isNotFound("find by ID", got, err)
			}
		}},
	)
}

// ids saves a token under each ID, with r1 stored as well, and deletes them one by one.
func (t *trial) ids(ids ...string) {
	rows := []token{r1}
	for i, id := range ids {
		asked := row("9", "user "+digit(i/10)+digit(i), c1, s1)
		asked.ID = id
		asked.RefreshToken, asked.AccessToken, asked.GrantToken = asked.RefreshToken+asked.UserName, asked.AccessToken+asked.UserName, ""
		saved, ok := t.saveOrRefused(asked)
		if !ok {
			t.holds(rows...)
			return
		}
		t.found("save", asked)(saved, nil)
		rows = append(rows, asked)
	}
	t.holds(rows...)
	if t.settings.reopen != nil {
		t.holdsBy(t.second(), rows)
	}
	for len(rows) > 1 {
		t.must("delete", t.store.DeleteToken(t.ctx, rows[1].ID))
		got, err := t.store.FindTokenByID(t.ctx, rows[1].ID)
		t.isNotFound("find the deleted ID", got, err)
		rows = append(rows[:1:1], rows[2:]...)
		if left := t.list(); !sameRows(left, rows) {
			t.fails("after a delete the store holds %s", rowsDifference(left, rows))
			return
		}
	}
	t.findsNone(token{ID: ids[0]})
}

// pairCases store pairs of different keys that some stores consider equal.
func pairCases() []Case {
	var cases []Case
	for _, p := range []struct{ name, one, two string }{
		{"case", "straße@x", "STRASSE@x"},
		{"case-ascii", "user@x", "User@x"},
		{"case-umlaut", "ä", "Ä"},
		{"accent", "resume", "résumé"},
		{"normal-form", "\u00e9", "e\u0301"},
		{"width", "ＡＢ", "AB"},
		{"trailing-space", "user", "user "},
		{"trailing-spaces", "user ", "user  "},
		{"leading-space", "user", " user"},
		{"trailing-newline", "user", "user\n"},
		{"trailing-nul", "user", "user\x00"},
		{"after-nul", "user\x00a", "user\x00b"},
		{"ignorable", "user", "us\u200der"},
		{"number", "1", "01"},
		{"number-point", "1", "1.0"},
		{"escape", "a%2Fb", "a/b"},
		{"quote", `a'b`, `a''b`},
		{"backslash", `a\b`, `a\\b`},
		{"prefix", "user", "user1"},
		{"long", strings.Repeat("k", 300) + "a", strings.Repeat("k", 300) + "b"},
		{"very-long", strings.Repeat("k", 4096) + "a", strings.Repeat("k", 4096) + "b"},
	} {
		cases = append(cases, Case{Name: "pair-" + p.name, Rule: ruleBytes, refusable: true, run: func(t *trial) { pair(t, p.one, p.two) }})
	}
	return cases
}

// pair stores two tokens that have the pair in each of their four keys.
func pair(t *trial, one, two string) {
	with := func(text string) token {
		return token{
			UserName: text, ClientID: c1, ClientSecret: s1,
			RefreshToken: secret("r") + text, AccessToken: secret("a") + text, GrantToken: secret("g") + text,
		}
	}
	first, ok := t.saveOrRefused(with(one))
	if !ok {
		t.holds()
		return
	}
	t.findsNone(token{UserName: two})
	t.findsNone(token{AccessToken: secret("a") + two})
	t.findsNone(token{RefreshToken: secret("r") + two, ClientID: c1, ClientSecret: s1})
	t.findsNone(token{GrantToken: secret("g") + two, ClientID: c1, ClientSecret: s1})
	second, ok := t.saveOrRefused(with(two))
	if !ok {
		t.holds(first)
		return
	}
	t.inserted(with(two), second, []token{first})
	t.must("delete", t.store.DeleteToken(t.ctx, first.ID))
	t.holds(second)
}
