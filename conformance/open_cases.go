// Cases of several handles on one store, of foreign data, and of memory shared with callers.

package conformance

import (
	"slices"
)

// openCases are the contract's cases of opening a store again.
func openCases() []Case {
	return []Case{
		{Name: "O01", Rule: "a store can be opened again while it is empty", run: func(t *trial) {
			second := t.second()
			t.holdsBy(second, nil)
			saved, err := second.SaveToken(t.ctx, r1)
			t.must("save by the second handle", err)
			t.holds(saved)
		}},
		{Name: "O02", Rule: ruleReopen, run: func(t *trial) {
			t.seed(r1, r2, r3)
			second := t.second()
			t.holdsBy(second, []token{r1, r2, r3})
			asked := token{UserName: "u4", RefreshToken: rNew, ClientID: c1, ClientSecret: s1}
			saved, err := second.SaveToken(t.ctx, asked)
			t.must("save by the second handle", err)
			t.inserted(asked, saved, []token{r1, r2, r3})
		}},
	}
}

// handleCases are about two handles on one store.
func handleCases() []Case {
	return []Case{
		{Name: "handles-save", Rule: ruleHandles, run: handlesSave},
		{Name: "handles-delete", Rule: ruleHandles, run: handlesDelete},
		{Name: "handles-move", Rule: ruleHandles, run: handlesMove},
		{Name: "handles-last-field", Rule: ruleNoLostField, run: func(t *trial) {
			second := t.second()
			t.seed(r1)
			t.finds(token{UserName: "u1"}, r1) // The stored token must win over what a handle remembers.
			other := "https://api.example/second"
			_, err := second.SaveToken(t.ctx, token{ID: "1", APIDomain: other})
			t.must("save by the second handle", err)
			want := edited(*newAccess(r1, 999), func(t *token) { t.APIDomain = other })
			t.found("save", want)(t.save(token{UserName: "u1", AccessToken: aNew, Expiry: at(999)}), nil)
			t.holds(want)
			t.holdsBy(second, []token{want})
		}},
	}
}

// handlesSave saves with each handle in turn and reads with the other.
func handlesSave(t *trial) {
	second := t.second()
	t.seed(r1, r2, r3)
	t.holds(r1, r2, r3)                    // Both have seen the rows by every key,
	t.holdsBy(second, []token{r1, r2, r3}) // and must look again.
	now := *newAccess(r1, 999)
	_, err := second.SaveToken(t.ctx, token{UserName: "u1", AccessToken: aNew, Expiry: at(999)})
	t.must("save by the second handle", err)
	t.holds(now, r2, r3)
	t.findsNone(token{AccessToken: r1.AccessToken})
}

// handlesDelete deletes a token with one handle after the other has read it.
func handlesDelete(t *trial) {
	second := t.second()
	t.seed(r1, r2, r3)
	t.holds(r1, r2, r3)                    // Both have seen the rows by every key,
	t.holdsBy(second, []token{r1, r2, r3}) // and must look again.
	t.must("delete by the second handle", second.DeleteToken(t.ctx, "1"))
	t.holds(r2, r3)
	t.findsNone(token{UserName: "u1"})
	t.findsNone(token{AccessToken: r1.AccessToken})
	got, err := t.store.FindTokenByID(t.ctx, "1")
	t.isNotFound("find by ID", got, err)
	t.must("delete all by the second handle", second.DeleteTokens(t.ctx))
	t.holds()
	t.holdsBy(second, nil)
}

// handlesMove has the second handle delete a user's token and insert it again under
// another ID.
func handlesMove(t *trial) {
	second := t.second()
	t.seed(r1)
	t.finds(token{UserName: "u1"}, r1)
	t.must("delete by the second handle", second.DeleteToken(t.ctx, "1"))
	anew := edited(r1, func(t *token) { t.ID = "8" })
	_, err := second.SaveToken(t.ctx, anew)
	t.must("save by the second handle", err)
	t.finds(token{UserName: "u1"}, anew)
	t.holds(anew)
	t.found("save", anew)(t.save(withoutID(anew)), nil)
	t.holdsBy(second, []token{anew})
}

// foreignCases plant foreign data and then call every method.
func foreignCases() []Case {
	return []Case{{Name: "foreign", Rule: ruleForeign, run: func(t *trial) {
		if t.settings.foreign == nil {
			t.fails("no foreign data can be planted: WithForeign was not given")
			giveUp()
		}
		check, err := t.settings.foreign(t.ctx, t.store.store)
		t.must("plant foreign data", err)
		look := func(after string) {
			if err := check(t.ctx); err != nil {
				t.fails("after %s: %s", after, safe(err))
			}
		}
		t.holds()
		t.seed(r1, r2, r3)
		t.holds(r1, r2, r3)
		look("three saves")
		t.save(token{ID: "1", AccessToken: aNew})
		t.must("delete", t.store.DeleteToken(t.ctx, "2"))
		look("an update and a delete")
		t.findsNone(token{UserName: "nobody"})
		t.must("delete all", t.store.DeleteTokens(t.ctx))
		look("DeleteTokens")
		t.holds()
		t.seed(r2)
		t.holds(r2)
		look("a save after DeleteTokens")
	}}}
}

// isolationCases test that a store shares no memory with its callers.
func isolationCases() []Case {
	return []Case{
		{Name: "isolation-list", Rule: ruleCopy, run: func(t *trial) {
			t.seed(r1, r2, r3)
			tokens := t.list()
			tokens[0].AccessToken, tokens[1].ID = aNew, "x"
			slices.Reverse(tokens)
			_ = append(tokens[:0], token{ID: "y"})
			t.holds(r1, r2, r3)
		}},
		{Name: "isolation-list-append", Rule: ruleCopy, run: func(t *trial) {
			t.seed(r1, r2)
			tokens := t.list()
			_ = append(tokens, token{ID: "y"})
			t.seed(r3)
			if len(tokens) != 2 || tokens[0] != r1 || tokens[1] != r2 {
				t.fails("list: a later save changed the result")
			}
			t.holds(r1, r2, r3)
		}},
		{Name: "isolation-find", Rule: ruleCopy, run: func(t *trial) {
			t.seed(r1, r2, r3)
			got, err := t.store.FindToken(t.ctx, token{UserName: "u1"})
			t.must("find", err)
			t.save(token{UserName: "u1", AccessToken: aNew})
			if got != r1 {
				t.fails("find: a later save changed the result")
			}
		}},
	}
}
