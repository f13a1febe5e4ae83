// The contract's numbered cases of DeleteToken, DeleteTokens, FindTokenByID and GetTokens.

package conformance

import (
	"fmt"

	"example.com/tokenstore"
)

// deleteCases are the contract's cases of DeleteToken and DeleteTokens.
func deleteCases() []Case {
	cases := []Case{
		{Name: "D01", Rule: ruleDelete, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete", t.store.DeleteToken(t.ctx, "2"))
			got, err := t.store.FindTokenByID(t.ctx, "2")
			t.isNotFound("find by ID", got, err)
			t.findsNone(token{UserName: "u2"})
			t.findsNone(token{AccessToken: r2.AccessToken})
			t.findsNone(token{RefreshToken: r2.RefreshToken, ClientID: c1, ClientSecret: s1})
			t.findsNone(token{GrantToken: r2.GrantToken, ClientID: c1, ClientSecret: s1})
			t.holds(r1, r3)
			t.must("delete it again", t.store.DeleteToken(t.ctx, "2"))
			t.holds(r1, r3)
		}},
		{Name: "D09", Rule: ruleDeleteAll, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			t.holds()
			t.findsNone(token{UserName: "u1"})
			t.must("delete all again", t.store.DeleteTokens(t.ctx))
			t.holds()
		}},
		{Name: "D10", Rule: ruleInsert, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			asked := token{UserName: "u4", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}
			t.inserted(asked, t.save(asked), nil)
		}},
	}
	// D03 is about null and D07 about empty; in Go they are the same.
	for _, name := range []string{"D03", "D07"} {
		cases = append(cases, Case{Name: name, Rule: ruleEmptyID, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.matchesKind("delete", t.store.DeleteToken(t.ctx, ""), tokenstore.ErrInvalidArgument)
			t.holds(r1, r2, r3)
		}})
	}
	for _, c := range []struct{ name, rule, id string }{
		{"D02", ruleDelete, "99"},
		{"D04", ruleData, "1 or 1=1"},
		{"D05", ruleBytes, "01"},
		{"D06", ruleDelete, "abc"},
		{"D08", ruleData, "id"},
		{"delete-pattern", ruleData, "%"},
		{"delete-space", ruleBytes, "1 "},
		{"delete-quote", ruleData, "x' or '1'='1"},
		{"delete-path", ruleData, "../1"},
	} {
		cases = append(cases, Case{Name: c.name, Rule: c.rule, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete", t.store.DeleteToken(t.ctx, c.id))
			t.holds(r1, r2, r3)
		}})
	}
	return cases
}

// byIDCases are the contract's cases of FindTokenByID.
func byIDCases() []Case {
	cases := []Case{
		{Name: "I01", Rule: ruleByID, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.found("find by ID", r2)(t.store.FindTokenByID(t.ctx, "2"))
		}},
		{Name: "I07", Rule: ruleCopy, run: func(t *trial) {
			t.seed(r1, r2, r3)
			got, err := t.store.FindTokenByID(t.ctx, "2")
			t.must("find by ID", err)
			got.AccessToken, got.ID = aNew, "x"
			t.holds(r1, r2, r3)
		}},
	}
	for _, c := range []struct {
		name, rule, id string
		kind           error
	}{
		{"I02", ruleByID, "99", tokenstore.ErrNotFound},
		{"I03", ruleEmptyID, "", tokenstore.ErrInvalidArgument},
		{"I04", ruleData, "zz' or '1'='1", tokenstore.ErrNotFound},
		{"I05", ruleByID, "id", tokenstore.ErrNotFound},
		{"I06", ruleEmptyID, "", tokenstore.ErrInvalidArgument},
		{"by-id-leading-zero", ruleBytes, "01", tokenstore.ErrNotFound},
		{"by-id-space", ruleBytes, "1 ", tokenstore.ErrNotFound},
		{"by-id-is-no-user", ruleByID, "u1", tokenstore.ErrNotFound},
	} {
		cases = append(cases, Case{Name: c.name, Rule: c.rule, run: func(t *trial) {
			t.seed(r1, r2, r3)
			got, err := t.store.FindTokenByID(t.ctx, c.id)
			if err == nil {
				t.fails("find by ID: found the token %s", show(got.ID, false))
				return
			}
			t.matchesKind("find by ID", err, c.kind)
		}})
	}
	return cases
}

// listCases are the contract's cases of GetTokens.
func listCases() []Case {
	return []Case{
		{Name: "L01", Rule: ruleListEmpty, run: func(t *trial) { t.holds() }},
		{Name: "L02", Rule: ruleList, run: func(t *trial) {
			t.seed(r1, r2, r3)
			saved := t.save(token{UserName: "u1", AccessToken: aNew})
			t.holds(saved, r2, r3)
		}},
		{Name: "L03", Rule: ruleList, run: func(t *trial) {
			var rows []token
			for i := range 10 {
				rows = append(rows, row(fmt.Sprint(i+1), fmt.Sprint("u", i+1), c1, s1))
			}
			t.seed(rows...)
			t.holds(rows...)
		}},
		{Name: "list-order", Rule: ruleList, run: func(t *trial) {
			var rows []token
			for _, id := range []string{"7", "3", "20", "b", "A", "1"} {
				rows = append(rows, row(id, "u"+id, c1, s1))
			}
			t.seed(rows...)
			t.holds(rows...)
		}},
		{Name: "list-order-after-delete", Rule: ruleList, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.must("delete", t.store.DeleteToken(t.ctx, "1"))
			saved := t.save(r1)
			t.holds(r2, r3, saved)
		}},
	}
}
