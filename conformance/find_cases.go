// The contract's numbered cases of FindToken, and cases that it leaves to the reader.

package conformance

// findCase is a find among the rows r1, r2 and r3, or others.
type findCase struct {
	name, rule string
	query      token
	want       *token  // nil: nothing is found.
	rows       []token // nil: r1, r2, r3.
}

// findCases are the contract's cases of FindToken.
func findCases() []Case {
	var cases []Case
	for _, c := range append(append(userFinds(), tokenFinds()...), hostileFinds()...) {
		cases = append(cases, Case{Name: c.name, Rule: c.rule, run: c.try})
	}
	return cases
}

func (c findCase) try(t *trial) {
	rows := c.rows
	if rows == nil {
		rows = []token{r1, r2, r3}
	}
	t.seed(rows...)
	if c.want != nil {
		t.finds(c.query, *c.want)
	} else {
		t.findsNone(c.query)
	}
	t.holds(rows...) // A find changes nothing.
}

func userFinds() []findCase {
	return []findCase{
		{name: "F01", rule: ruleNeverAny},
		{name: "F02", rule: "a user's token is found by the user name", query: token{UserName: "u2"}, want: &r2},
		{name: "F03", rule: ruleUserFinal, query: token{UserName: "nobody"}},
		{name: "F04", rule: ruleEmptyAbsent, query: token{UserName: ""}},
		{name: "F05", rule: ruleUserFinal, query: token{UserName: "nobody", RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}},
		{name: "F06", rule: ruleAsStored, query: token{UserName: "u2", AccessToken: r1.AccessToken}, want: &r2},
		{name: "F07", rule: "a token is found by its access token alone", query: token{AccessToken: r1.AccessToken}, want: &r1},
		{name: "F08", rule: ruleAccessFinal, query: token{AccessToken: secret("access-none"), RefreshToken: r2.RefreshToken}},
		{name: "F09", rule: ruleEmptyAbsent, query: token{AccessToken: ""}},
		{name: "F10", rule: "an access token finds only if neither client ID nor client secret is set", query: token{AccessToken: r1.AccessToken, ClientID: c1}},
		{name: "F11", rule: "an access token finds only if neither client ID nor client secret is set", query: token{AccessToken: r2.AccessToken, ClientID: c1, ClientSecret: s1}},
		{name: "F12", rule: ruleAccessFinal, query: token{AccessToken: r2.AccessToken, RefreshToken: r1.RefreshToken}, want: &r2},
	}
}

func tokenFinds() []findCase {
	twin1, twin2 := row("11", "x1", c1, s1), row("12", "x2", c1, s1)
	twin1.RefreshToken, twin2.RefreshToken = secret("refresh-twin"), secret("refresh-twin")
	return []findCase{
		{name: "F13", rule: "a token is found by its refresh token and any client values", query: token{RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F14", rule: ruleNeedsClient, query: token{RefreshToken: r2.RefreshToken}},
		{name: "F15", rule: ruleNeedsClient, query: token{RefreshToken: r2.RefreshToken, ClientID: c1}},
		{name: "F16", rule: "a token is found by its grant token and any client values", query: token{GrantToken: r2.GrantToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F17", rule: ruleNeedsClient, query: token{GrantToken: r2.GrantToken}},
		{name: "F18", rule: ruleGrantFirst, query: token{GrantToken: r2.GrantToken, RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F19", rule: ruleThenRefresh, query: token{GrantToken: secret("grant-x"), RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F20", rule: ruleAsStored, query: token{GrantToken: "", RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F21", rule: ruleEmptyAbsent, query: token{RefreshToken: "", ClientID: c1, ClientSecret: s1}},
		{name: "F22", rule: ruleNotCompared, query: token{RefreshToken: r2.RefreshToken, ClientID: zz, ClientSecret: zs}, want: &r2},
		{name: "F23", rule: ruleIDFirst, query: token{ID: "2"}, want: &r2},
		{name: "F24", rule: ruleIDFirst, query: token{ID: "2", RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F25", rule: ruleAsStored, query: token{UserName: "u1", AccessToken: secret("access-new"), Expiry: at(999)}, want: &r1},
		{name: "F30", rule: "a token without a user is found by its refresh token", query: token{RefreshToken: r3.RefreshToken, ClientID: c3, ClientSecret: s3}, want: &r3},
		{name: "F31", rule: ruleGrantFirst, query: token{AccessToken: r1.AccessToken, RefreshToken: r1.RefreshToken, GrantToken: r2.GrantToken, ClientID: c1, ClientSecret: s1}, want: &r2},
		{name: "F32", rule: ruleOldest, query: token{RefreshToken: twin1.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &twin1, rows: []token{twin1, twin2}},
		{name: "F33", rule: ruleNeverAny, rows: []token{}},
		{name: "F34", rule: ruleIDUnknown, query: token{UserName: "u1", ID: "77"}, want: &r1},
		{name: "F35", rule: ruleNeverAny, query: token{ClientID: c1, ClientSecret: s1}},
		{name: "F36", rule: ruleNeedsClient, query: token{RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: ""}},
	}
}

func hostileFinds() []findCase {
	return []findCase{
		{name: "F26", rule: ruleBytes, query: token{UserName: "U1"}},
		{name: "F27", rule: ruleData, query: token{UserName: "zz' or '1'='1"}},
		{name: "F28", rule: ruleData, query: token{UserName: "o'brien"}},
		{name: "F29", rule: ruleEmptyAbsent, query: token{AccessToken: r2.AccessToken, ClientID: "", ClientSecret: ""}, want: &r2},
		{name: "find-id-only-unknown", rule: ruleNeverAny, query: token{ID: "77"}},
		{name: "find-id-with-user", rule: ruleIDFirst, query: token{ID: "3", UserName: "u1"}, want: &r3},
		{name: "find-id-unknown-then-user-final", rule: ruleUserFinal, query: token{ID: "77", UserName: "nobody", AccessToken: r1.AccessToken}},
		{name: "find-id-unknown-then-access", rule: ruleIDUnknown, query: token{ID: "77", AccessToken: r3.AccessToken}, want: &r3},
		{name: "find-id-unknown-then-refresh", rule: ruleIDUnknown, query: token{ID: "77", RefreshToken: r3.RefreshToken, ClientID: c1, ClientSecret: s1}, want: &r3},
		{name: "find-access-secret-only", rule: "an access token finds only if neither client ID nor client secret is set", query: token{AccessToken: r1.AccessToken, ClientSecret: s1}},
		{name: "find-refresh-secret-only", rule: ruleNeedsClient, query: token{RefreshToken: r2.RefreshToken, ClientSecret: s1}},
		{name: "find-grant-client-not-compared", rule: ruleNotCompared, query: token{GrantToken: r2.GrantToken, ClientID: zz, ClientSecret: zs}, want: &r2},
		{name: "find-user-ignores-client", rule: ruleNotCompared, query: token{UserName: "u2", ClientID: zz, ClientSecret: zs}, want: &r2},
		{name: "find-kinds-apart", rule: "a value is a key of one kind only", query: token{AccessToken: r1.RefreshToken}},
		{name: "find-domain-is-no-key", rule: ruleNeverAny, query: token{RedirectURL: r1.RedirectURL, APIDomain: r1.APIDomain, Expiry: r1.Expiry}},
	}
}
