// The contract's numbered cases of SaveToken, and cases that it leaves to the reader.

package conformance

import (
	"fmt"

	"example.com/tokenstore"
)

// saveCase is a save among the rows r1, r2 and r3, or others.
type saveCase struct {
	name, rule string
	save       token
	rows       []token // nil: r1, r2, r3.

	// One of these is the expected outcome.
	updates *token // This token replaces the row with its ID.
	inserts bool   // The saved token becomes a new row.
	refused bool   // The error matches ErrInvalidToken.
}

// saveCases are the contract's cases of SaveToken.
func saveCases() []Case {
	var cases []Case
	for _, group := range [][]saveCase{updates(), idUpdates(), inserts(), refusals()} {
		for _, c := range group {
			cases = append(cases, Case{Name: c.name, Rule: c.rule, run: c.try})
		}
	}
	return append(cases,
		Case{Name: "S26", Rule: ruleOpaque, run: afterTen},
		Case{Name: "S27", Rule: ruleDistinct, run: afterDelete},
		Case{Name: "S38", Rule: ruleDistinct, run: twoIntoEmpty},
		Case{Name: "S40", Rule: "two concurrent saves have the same result as one after the other: both users are stored", run: twoAtOnce},
	)
}

func (c saveCase) try(t *trial) {
	rows := c.rows
	if rows == nil {
		rows = []token{r1, r2, r3}
	}
	t.seed(rows...)
	t.settings.tick()
	saved, err := t.store.SaveToken(t.ctx, c.save)
	switch {
	case c.refused:
		t.matchesKind("save", err, tokenstore.ErrInvalidToken)
		t.holds(rows...)
	case err != nil:
		t.fails("save: %s", safe(err))
	case c.inserts:
		t.inserted(c.save, saved, rows)
	default:
		t.found("save", *c.updates)(saved, nil)
		t.holds(replaced(rows, *c.updates)...)
	}
}

// inserted checks that saved is asked for as a new row behind rows.
func (t *trial) inserted(asked, saved token, rows []token) {
	want := asked
	if want.ID == "" {
		want.ID = saved.ID
	}
	for _, r := range rows {
		if r.ID == saved.ID {
			t.fails("save: the token %s was updated, instead of inserting a new one", show(r.ID, false))
			return
		}
	}
	t.found("save", want)(saved, nil)
	t.holds(append(append([]token{}, rows...), want)...)
}

// replaced returns rows with now in place of the row with the same ID.
func replaced(rows []token, now token) []token {
	all := append([]token{}, rows...)
	for i := range all {
		if all[i].ID == now.ID {
			all[i] = now
		}
	}
	return all
}

var (
	aNew = secret("access-new")
	rNew = secret("refresh-new")
	gNew = secret("grant-new")
)

// changed returns a pointer to a changed copy of t.
func changed(t token, change func(*token)) *token {
	change(&t)
	return &t
}

// newAccess returns t with a new access token and its expiry.
func newAccess(t token, n int) *token {
	t.AccessToken, t.Expiry = aNew, at(n)
	return &t
}

// newAccessOnly returns t with a new access token that has no expiry.
func newAccessOnly(t token) *token {
	t.AccessToken = aNew
	t.Expiry = token{}.Expiry
	return &t
}

func updates() []saveCase {
	all := row("1", "u1", zz, zs)
	all.RefreshToken, all.AccessToken, all.GrantToken = rNew, aNew, gNew
	all.RedirectURL, all.APIDomain, all.Expiry = "https://app.example/other", "https://api.example/other", at(999)
	return []saveCase{
		{name: "S02", rule: ruleUpdate, save: token{UserName: "u1", AccessToken: aNew, Expiry: at(999)}, updates: newAccess(r1, 999)},
		{name: "S03", rule: ruleUpdate, save: withoutID(all), updates: &all},
		{name: "S05", rule: ruleSameRow, save: token{RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1, AccessToken: aNew}, updates: newAccessOnly(r1)},
		{name: "S06", rule: ruleSameRow, save: token{GrantToken: r1.GrantToken, ClientID: c1, ClientSecret: s1, RefreshToken: rNew, AccessToken: aNew},
			updates: changed(*newAccessOnly(r1), func(t *token) { t.RefreshToken = rNew })},
		{name: "S07", rule: ruleThenRefresh, save: token{GrantToken: gNew, RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1},
			updates: changed(r2, func(t *token) { t.GrantToken = gNew })},
		{name: "S08", rule: ruleSameRow, save: token{AccessToken: r1.AccessToken, Expiry: at(999)}, updates: changed(r1, func(t *token) { t.Expiry = at(999) })},
		{name: "S21", rule: ruleNoChange, save: withoutID(r1), updates: &r1},
		{name: "S22", rule: ruleNoChange, save: r1, updates: &r1},
		{name: "S23", rule: ruleExpiryDropped, save: token{UserName: "u1", ClientID: zz, ClientSecret: zs, RefreshToken: rNew, AccessToken: aNew},
			updates: changed(*newAccessOnly(r1), func(t *token) { t.ClientID, t.ClientSecret, t.RefreshToken = zz, zs, rNew })},
		{name: "S24", rule: ruleNotCompared, save: token{RefreshToken: r1.RefreshToken, ClientID: zz, ClientSecret: zs, AccessToken: aNew},
			updates: changed(*newAccessOnly(r1), func(t *token) { t.ClientID, t.ClientSecret = zz, zs })},
		{name: "S29", rule: ruleData, save: token{UserName: "u1", RedirectURL: "https://app.example/100%s%d"}, updates: changed(r1, func(t *token) { t.RedirectURL = "https://app.example/100%s%d" })},
		{name: "S31", rule: ruleEmptyKeeps, save: token{UserName: "u1", RefreshToken: "", APIDomain: "https://api.example/new"},
			updates: changed(r1, func(t *token) { t.APIDomain = "https://api.example/new" })},
		{name: "S32", rule: ruleAdopt, save: token{UserName: "u3", RefreshToken: r3.RefreshToken, ClientID: c3, ClientSecret: s3, AccessToken: aNew},
			updates: changed(*newAccessOnly(r3), func(t *token) { t.UserName = "u3" })},
		{name: "S39", rule: ruleExpiryDropped, save: token{UserName: "u1", AccessToken: aNew}, updates: newAccessOnly(r1)},
	}
}

func idUpdates() []saveCase {
	row5, row6 := row("5", "x1", c1, s1), row("6", "tmp", c1, s1)
	return []saveCase{
		{name: "S12", rule: ruleUpdate, save: *newAccess(r1, 999), updates: newAccess(r1, 999)},
		{name: "S13", rule: ruleIDFirst, save: token{ID: "1", UserName: "u2", AccessToken: aNew}, updates: changed(*newAccessOnly(r1), func(t *token) { t.UserName = "u2" })},
		{name: "S14", rule: ruleIDFirst, save: token{ID: "1", AccessToken: aNew}, updates: newAccessOnly(r1)},
		{name: "S15", rule: ruleIDUnknown, save: token{ID: "50", RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1, AccessToken: aNew}, updates: newAccessOnly(r1)},
		{name: "S34", rule: ruleIDFirst, rows: []token{row5, row6}, save: token{ID: "6", UserName: "x1", AccessToken: aNew},
			updates: changed(*newAccessOnly(row6), func(t *token) { t.UserName = "x1" })},
		{name: "S35", rule: ruleNoChange, save: token{ID: "1"}, updates: &r1},
	}
}

func inserts() []saveCase {
	text := row("abc", "u1", c1, s1)
	return []saveCase{
		{name: "S01", rule: ruleInsert, save: token{UserName: "u4", RefreshToken: rNew, AccessToken: aNew, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S04", rule: ruleAdoptOwnerless, save: token{UserName: "u9", RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S09", rule: ruleInsert, save: token{AccessToken: aNew}, inserts: true},
		{name: "S10", rule: ruleInsert, save: token{AccessToken: aNew, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S11", rule: "a refresh or grant token without client values is inserted too", save: token{RefreshToken: r1.RefreshToken}, inserts: true},
		{name: "S20", rule: ruleEmptyAbsent, save: token{UserName: "", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S25", rule: ruleOpaque, rows: []token{text}, save: token{UserName: "u4", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S28", rule: ruleData, save: token{UserName: "o'brien", AccessToken: aNew}, inserts: true},
		{name: "S30", rule: ruleInsert, save: token{ID: "12345678901", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S33", rule: ruleAdoptOwnerless, save: token{UserName: "u9", GrantToken: r1.GrantToken, ClientID: c1, ClientSecret: s1}, inserts: true},
		{name: "S36", rule: ruleInsert, save: token{ID: "50", AccessToken: aNew}, inserts: true},
		{name: "S37", rule: ruleInsert, rows: []token{}, save: token{UserName: "u1", AccessToken: aNew}, inserts: true},
		{name: "save-every-field", rule: ruleTexts, save: row("9", "u9", zz, zs), inserts: true},
		{name: "save-grant-without-client", rule: "a refresh or grant token without client values is inserted too", save: token{GrantToken: r1.GrantToken}, inserts: true},
		{name: "save-access-with-client-id", rule: ruleInsert, save: token{AccessToken: r1.AccessToken, ClientID: c1}, inserts: true},
	}
}

func refusals() []saveCase {
	return []saveCase{
		{name: "S16", rule: ruleNoSecret, save: token{ID: "50", UserName: "u9"}, refused: true},
		{name: "S17", rule: ruleNoSecret, save: token{UserName: "u9", ClientID: c1, ClientSecret: s1, APIDomain: "https://api.example/9", Expiry: at(9)}, refused: true},
		{name: "S18", rule: ruleNoSecret, save: token{}, refused: true},
		{name: "S19", rule: ruleNoSecret, save: token{ClientID: c1, ClientSecret: s1}, refused: true},
	}
}

// afterTen inserts after the IDs 1 to 10: compared as strings, the greatest one is 9.
func afterTen(t *trial) {
	var rows []token
	for i := range 10 {
		rows = append(rows, row(fmt.Sprint(i+1), fmt.Sprint("u", i+1), c1, s1))
	}
	t.seed(rows...)
	asked := token{UserName: "u11", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}
	t.inserted(asked, t.save(asked), rows)
}

// afterDelete inserts after the newest token was deleted: its ID is not reused for
// another token.
func afterDelete(t *trial) {
	t.seed(r1, r2, r3)
	t.must("delete", t.store.DeleteToken(t.ctx, "3"))
	asked := token{UserName: "u4", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}
	saved := t.save(asked)
	if saved.ID == "3" {
		t.fails("save: the new token has the ID of a deleted one")
	}
	t.inserted(asked, saved, []token{r1, r2})

	t.must("delete", t.store.DeleteToken(t.ctx, saved.ID))
	other := token{UserName: "u5", RefreshToken: secret("refresh-5"), ClientID: c1, ClientSecret: s1}
	again := t.save(other)
	if again.ID == saved.ID {
		t.fails("save: the new token has the generated ID of a deleted one")
	}
	t.inserted(other, again, []token{r1, r2})
}

func twoIntoEmpty(t *trial) {
	one := t.save(token{UserName: "u1", RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1})
	two := t.save(token{UserName: "u2", RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1})
	if one.ID == two.ID {
		t.fails("save: two tokens have the ID %s", show(one.ID, false))
	}
	t.holds(one, two)
}
