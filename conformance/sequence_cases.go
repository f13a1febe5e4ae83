// Cases of several saves, finds and deletes in a row: adoption, rotation, and expiries.

package conformance

import (
	"time"

	"example.com/tokenstore"
)

// adoptionCases test a user who adopts a token without a user.
func adoptionCases() []Case {
	// Two rows without a user can hold one refresh token only if the younger
	// was saved without client values.
	older := token{ID: "o1", ClientID: c1, ClientSecret: s1, RefreshToken: rNew, APIDomain: "https://api.example/o1"}
	younger := token{ID: "o2", RefreshToken: rNew, APIDomain: "https://api.example/o2"}
	owned := token{ID: "o0", UserName: "u0", ClientID: c1, ClientSecret: s1, RefreshToken: rNew, GrantToken: gNew}
	granted := token{ID: "o3", GrantToken: gNew, APIDomain: "https://api.example/o3"}
	user := token{UserName: "u7", ClientID: c1, ClientSecret: s1, RefreshToken: rNew}
	with := func(change func(*token)) token { return edited(user, change) }
	owner := func(t token) *token {
		return changed(t, func(t *token) { t.UserName, t.ClientID, t.ClientSecret, t.RefreshToken = "u7", c1, s1, rNew })
	}
	cases := []saveCase{
		{name: "adopt-oldest", rule: ruleOldest, rows: []token{older, younger}, save: user, updates: owner(older)},
		{name: "adopt-despite-older-owned", rule: "a token without a user is adopted even if an older token of another user matches", rows: []token{owned, younger}, save: user, updates: owner(younger)},
		{name: "adopt-despite-unknown-id", rule: "a token without a user is adopted even if an unknown ID was given", rows: []token{older}, save: with(func(t *token) { t.ID = "70" }), updates: owner(older)},
		{name: "adopt-grant-first", rule: ruleGrantFirst, rows: []token{older, granted}, save: with(func(t *token) { t.GrantToken = gNew }), updates: owner(granted)},
		{name: "adopt-refresh-after-grant", rule: ruleThenRefresh, rows: []token{older}, save: with(func(t *token) { t.GrantToken = secret("grant-other") }),
			updates: changed(*owner(older), func(t *token) { t.GrantToken = secret("grant-other") })},
		{name: "adopt-refresh-after-owned-grant", rule: ruleThenRefresh, rows: []token{edited(owned, func(t *token) { t.RefreshToken = "" }), younger}, save: with(func(t *token) { t.GrantToken = gNew }),
			updates: changed(*owner(younger), func(t *token) { t.GrantToken = gNew })},
		{name: "adopt-needs-client", rule: ruleAdoptClient, rows: []token{older}, save: token{UserName: "u7", RefreshToken: rNew}, inserts: true},
		{name: "adopt-needs-client-secret", rule: ruleAdoptClient, rows: []token{older}, save: token{UserName: "u7", RefreshToken: rNew, ClientID: c1}, inserts: true},
		{name: "adopt-never-by-access", rule: ruleAdoptAccess, save: token{UserName: "u7", AccessToken: r3.AccessToken, ClientID: c3, ClientSecret: s3}, inserts: true},
		{name: "adopt-never-by-access-alone", rule: ruleAdoptAccess, save: token{UserName: "u7", AccessToken: r3.AccessToken}, inserts: true},
		{name: "adopt-client-not-compared", rule: ruleNotCompared, save: token{UserName: "u7", RefreshToken: r3.RefreshToken, ClientID: zz, ClientSecret: zs},
			updates: changed(r3, func(t *token) { t.UserName, t.ClientID, t.ClientSecret = "u7", zz, zs })},
		{name: "adopt-not-by-known-user", rule: ruleAdoptNew, save: token{UserName: "u1", RefreshToken: r3.RefreshToken, ClientID: c3, ClientSecret: s3},
			updates: changed(r1, func(t *token) { t.RefreshToken, t.ClientID, t.ClientSecret = r3.RefreshToken, c3, s3 })},
		{name: "adopt-not-when-id-known", rule: ruleIDFirst, save: token{ID: "2", UserName: "u7", RefreshToken: r3.RefreshToken, ClientID: c3, ClientSecret: s3},
			updates: changed(r2, func(t *token) { t.UserName, t.RefreshToken, t.ClientID, t.ClientSecret = "u7", r3.RefreshToken, c3, s3 })},
		{name: "adopt-never-in-find", rule: ruleUserFinal, rows: []token{older}, save: token{UserName: "u8", AccessToken: aNew}, inserts: true},
	}
	var all []Case
	for _, c := range cases {
		all = append(all, Case{Name: c.name, Rule: c.rule, run: c.try})
	}
	return all
}

// sequenceCases are several saves, finds and deletes of one token.
func sequenceCases() []Case {
	return []Case{
		{Name: "rotation", Rule: ruleKeyMoves, run: rotation},
		{Name: "key-moves", Rule: ruleKeyMoves, run: keyMoves},
		{Name: "older-appears", Rule: ruleOldest, run: olderRemains},
		{Name: "delete-then-save", Rule: ruleGone, run: deleteThenSave},
		{Name: "delete-then-same-id", Rule: ruleGone, run: deleteThenSameID},
		{Name: "delete-all-then-save", Rule: ruleGone, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			t.seed(r3, r1)
			t.findsNone(token{UserName: "u2"})
			t.holds(r3, r1)
		}},
		{Name: "later-wins", Rule: ruleLaterWins, run: func(t *trial) {
			t.seed(edited(r1, func(t *token) { t.Expiry = at(5000) }))
			earlier := *newAccess(r1, 1000)
			t.found("save", earlier)(t.save(token{UserName: "u1", AccessToken: aNew, Expiry: at(1000)}), nil)
			t.holds(earlier)
		}},
		{Name: "expired", Rule: ruleExpired, run: func(t *trial) {
			old := edited(r1, func(t *token) { t.Expiry = time.UnixMilli(1_000_000_000_123).UTC() })
			t.seed(old, r2)
			t.holds(old, r2)
			t.save(token{UserName: "u2", AccessToken: aNew, Expiry: old.Expiry})
			t.finds(token{UserName: "u1"}, old)
		}},
		{Name: "grant-stays", Rule: ruleUpdate, run: func(t *trial) {
			first := t.save(token{ClientID: c1, ClientSecret: s1, GrantToken: gNew})
			redeemed := t.save(token{ClientID: c1, ClientSecret: s1, GrantToken: gNew, RefreshToken: rNew, AccessToken: aNew, Expiry: at(1)})
			want := edited(first, func(t *token) { t.RefreshToken, t.AccessToken, t.Expiry = rNew, aNew, at(1) })
			t.found("save", want)(redeemed, nil)
			t.holds(want)
		}},
		{Name: "update-result-again", Rule: ruleNoChange, run: func(t *trial) {
			t.seed(r1, r2)
			saved := t.save(token{UserName: "u1", AccessToken: aNew})
			t.found("save the result again", saved)(t.save(saved), nil)
			t.holds(saved, r2)
		}},
	}
}

// rotation replaces a token's refresh and access tokens many times.
func rotation(t *trial) {
	t.seed(r1, r2)
	now := r1
	for i := range 5 {
		last := now
		now.RefreshToken, now.AccessToken, now.GrantToken = secret("refresh-r"+digit(i)), secret("access-r"+digit(i)), secret("grant-r"+digit(i))
		now.Expiry = at(i)
		t.found("save", now)(t.save(now), nil)
		t.holds(now, r2)
		t.findsNone(token{AccessToken: last.AccessToken})
		t.findsNone(token{RefreshToken: last.RefreshToken, ClientID: c1, ClientSecret: s1})
		t.findsNone(token{GrantToken: last.GrantToken, ClientID: c1, ClientSecret: s1})
	}
	t.found("save", r1)(t.save(r1), nil) // And back to the first values.
	t.holds(r1, r2)
}

func digit(i int) string { return string(rune('0' + i%10)) }

// keyMoves moves keys from one token to another.
func keyMoves(t *trial) {
	t.seed(r1, r2, r3)
	one := edited(r1, func(t *token) { t.UserName, t.RefreshToken = "u8", rNew })
	t.found("save", one)(t.save(token{ID: "1", UserName: "u8", RefreshToken: rNew}), nil)
	t.findsNone(token{UserName: "u1"})
	t.findsNone(token{RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1})

	two := edited(r2, func(t *token) { t.UserName, t.RefreshToken = "u1", r1.RefreshToken })
	t.found("save", two)(t.save(token{ID: "2", UserName: "u1", RefreshToken: r1.RefreshToken}), nil)
	t.finds(token{UserName: "u1"}, two)
	t.finds(token{RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}, two)
	t.holds(one, two, r3)

	asked := token{UserName: "u2", RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1}
	t.inserted(asked, t.save(asked), []token{one, two, r3})
}

// olderRemains gives an older token a key that a younger one has: a find by it returns
// the older one until that is deleted.
func olderRemains(t *trial) {
	t.seed(r1, r2, r3)
	older := edited(r1, func(t *token) {
		t.UserName, t.RefreshToken, t.AccessToken, t.GrantToken = "u2", r2.RefreshToken, r2.AccessToken, r2.GrantToken
	})
	older.Expiry = time.Time{}
	t.save(token{ID: "1", UserName: "u2", RefreshToken: r2.RefreshToken, AccessToken: r2.AccessToken, GrantToken: r2.GrantToken})
	t.holds(older, r2, r3)
	t.finds(token{UserName: "u2"}, older)
	t.must("delete", t.store.DeleteToken(t.ctx, "1"))
	t.finds(token{UserName: "u2"}, r2)
	t.holds(r2, r3)
}

func deleteThenSave(t *trial) {
	first := t.save(withoutID(r1))
	t.must("delete", t.store.DeleteToken(t.ctx, first.ID))
	t.findsNone(withoutID(r1))
	t.holds()
	bare := token{UserName: "u1", AccessToken: aNew}
	saved := t.save(bare)
	t.inserted(bare, saved, nil) // No field of the deleted token comes back.
	t.findsNone(token{RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1})
}

func deleteThenSameID(t *trial) {
	t.seed(r1, r2)
	t.must("delete", t.store.DeleteToken(t.ctx, "1"))
	again := token{ID: "1", UserName: "u9", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}
	t.inserted(again, t.save(again), []token{r2})
	t.findsNone(token{UserName: "u1"})
	t.findsNone(token{AccessToken: r1.AccessToken})
	for range 3 {
		t.must("delete", t.store.DeleteToken(t.ctx, "1"))
		got, err := t.store.FindTokenByID(t.ctx, "1")
		t.isNotFound("find by ID", got, err)
		t.inserted(again, t.save(again), []token{r2})
	}
}

// expiryCases test the time at which an access token expires.
func expiryCases() []Case {
	zone := time.FixedZone("somewhere", 5*3600+1800)
	moment := time.UnixMilli(1_893_456_000_123)
	var cases []Case
	add := func(name, rule string, run func(*trial)) {
		cases = append(cases, Case{Name: name, Rule: rule, run: run})
	}
	for _, c := range []struct {
		name        string
		given, kept time.Time
	}{
		{"expiry-millisecond", moment, moment.UTC()},
		{"expiry-zone", moment.In(zone), moment.UTC()},
		{"expiry-local", moment.Local(), moment.UTC()},
		{"expiry-nanosecond", moment.Add(999_999), moment.UTC()},
		{"expiry-first", time.UnixMilli(1), time.UnixMilli(1).UTC()},
		{"expiry-1970", time.UnixMilli(1_234_567_890), time.UnixMilli(1_234_567_890).UTC()},
		{"expiry-last", time.UnixMilli(9_999_999_999_999), time.UnixMilli(9_999_999_999_999).UTC()},
	} {
		add(c.name, ruleExpiry, func(t *trial) {
			saved := t.save(edited(r1, func(t *token) { t.Expiry = c.given }))
			want := edited(r1, func(t *token) { t.Expiry = c.kept })
			t.found("save", want)(saved, nil)
			t.holds(want)
			t.found("save", want)(t.save(edited(r1, func(t *token) { t.Expiry = c.given })), nil)
			t.holds(want)
		})
	}
	add("expiry-monotonic", ruleExpiry, func(t *trial) {
		now := time.Now().Add(time.Hour) // It has a monotonic clock reading.
		want := edited(r1, func(t *token) { t.Expiry = time.UnixMilli(now.UnixMilli()).UTC() })
		t.found("save", want)(t.save(edited(r1, func(t *token) { t.Expiry = now })), nil)
		t.holds(want)
	})
	add("expiry-alone", ruleUpdate, func(t *trial) {
		t.seed(r1)
		want := edited(r1, func(t *token) { t.Expiry = at(999) })
		t.found("save", want)(t.save(token{UserName: "u1", Expiry: at(999)}), nil)
		t.holds(want)
	})
	add("expiry-kept", "the expiry stays while the access token does not change", func(t *trial) {
		t.seed(r1)
		want := edited(r1, func(t *token) { t.RefreshToken = rNew })
		t.found("save", want)(t.save(token{UserName: "u1", AccessToken: r1.AccessToken, RefreshToken: rNew}), nil)
		t.holds(want)
	})
	add("expiry-first-access", "a token's first access token counts as a change: an expiry that was there before is dropped", func(t *trial) {
		t.seed(token{ID: "1", UserName: "u1", RefreshToken: rNew, Expiry: at(5)})
		want := token{ID: "1", UserName: "u1", RefreshToken: rNew, AccessToken: aNew}
		t.found("save", want)(t.save(token{UserName: "u1", AccessToken: aNew}), nil)
		t.holds(want)
	})
	for _, c := range []struct {
		name  string
		given time.Time
	}{
		{"expiry-before-1970", time.UnixMilli(-1)},
		{"expiry-after-2286", time.UnixMilli(10_000_000_000_000)},
	} {
		add(c.name, ruleExpiryRange, func(t *trial) {
			t.seed(r1)
			for _, tok := range []token{{UserName: "u1", Expiry: c.given}, {UserName: "u9", AccessToken: aNew, Expiry: c.given}} {
				_, err := t.store.SaveToken(t.ctx, tok)
				t.matchesKind("save", err, tokenstore.ErrInvalidToken)
			}
			t.holds(r1)
		})
	}
	return cases
}
