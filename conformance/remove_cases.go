// The conditional deletion: an optional ability, by which nothing is deleted that somebody has
// not seen.

package conformance

import (
	"context"
	"errors"

	"example.com/tokenstore"
)

const (
	ruleRemove        = "DeleteUnchanged deletes exactly the tokens that still have the grant, refresh and access token that they were read with"
	ruleRemoveChanged = "DeleteUnchanged leaves alone a token that was changed since it was read, with an error that matches ErrConflict"
	ruleRemoveMissing = "DeleteUnchanged returns an error that matches ErrNotFound for a token that is not stored, and ErrInvalidArgument for one without an ID"
)

// removeCases test DeleteUnchanged.
func removeCases() []Case {
	cases := []Case{
		{Name: "remove", Rule: ruleRemove, run: func(t *trial) {
			t.seed(r1, r2, r3)
			t.removes([]token{r1, r3}, nil, nil)
			t.holds(r2)
			t.findsNone(token{UserName: "u1"})
			t.inserted(r1, t.save(r1), []token{r2})
		}},
		{Name: "remove-other-fields", Rule: ruleRemove, run: func(t *trial) {
			t.seed(r1, r2)
			t.save(token{
				ID: "1", UserName: "u9", ClientID: c3, ClientSecret: s3, Expiry: at(9),
				RedirectURL: "https://app.example/of-others", APIDomain: "https://api.example/of-others",
			})
			t.removes([]token{r1}, nil)
			t.holds(r2)
		}},
		{Name: "remove-lacking", Rule: ruleRemoveChanged, run: func(t *trial) {
			t.seed(r1, r2)
			for _, seen := range []token{
				{ID: "1"}, edited(r1, func(t *token) { t.GrantToken = "" }),
				edited(r1, func(t *token) { t.RefreshToken = "" }), edited(r1, func(t *token) { t.AccessToken = "" }),
			} {
				t.removes([]token{seen}, tokenstore.ErrConflict)
			}
			t.holds(r1, r2)
		}},
		{Name: "swap-note-removed", Rule: ruleNoteKept, run: func(t *trial) {
			t.swapper(t.store)
			t.seed(r1, r2)
			t.swaps(t.noted(r1, ""), token{}, "n", r1)
			t.removes([]token{r1}, nil)
			t.holds(r2)
			t.save(r1)
			t.noted(r1, "")
		}},
		{Name: "remove-moved", Rule: ruleRemoveMissing, run: func(t *trial) {
			t.remover()
			t.seed(r1, r2)
			t.must("delete", t.store.DeleteToken(t.ctx, "1"))
			moved := edited(r1, func(t *token) { t.ID = "9" })
			t.seed(moved)
			t.removes([]token{r1}, tokenstore.ErrNotFound)
			t.holds(r2, moved)
		}},
		{Name: "handles-remove", Rule: ruleRemoveChanged, run: func(t *trial) {
			t.remover()
			t.seed(r1, r2)
			other := t.second()
			now, err := other.SaveToken(t.ctx, token{ID: "1", AccessToken: aNew, Expiry: at(9)})
			t.must("save by the second handle", err)
			t.removes([]token{r1, r2}, tokenstore.ErrConflict, nil)
			t.holds(now)
			t.removes([]token{now}, nil)
			t.holdsBy(other, nil)
		}},
		{Name: "concurrent-remove", Rule: ruleRemoveChanged, run: removeWhileSaving},
		{Name: "remove-missing", Rule: ruleRemoveMissing, run: func(t *trial) {
			t.seed(r1, r2)
			t.removes([]token{r3, r1, withoutID(r2), r1}, tokenstore.ErrNotFound, nil, tokenstore.ErrInvalidArgument, tokenstore.ErrNotFound)
			t.holds(r2)
			t.removes([]token{r1}, tokenstore.ErrNotFound)
			t.removes(nil)
			t.holds(r2)
		}},
		{Name: "remove-cancelled", Rule: ruleContext, run: func(t *trial) {
			t.seed(r1, r2)
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			for _, err := range t.remover().DeleteUnchanged(ctx, []token{r1, r2}) {
				t.matchesKind("delete with an ended context", err, context.Canceled)
			}
			t.holds(r1, r2)
		}},
	}
	for _, c := range []struct {
		name   string
		change token
	}{
		{"remove-changed-grant", token{ID: "2", GrantToken: secret("grant-new")}},
		{"remove-changed-refresh", token{ID: "2", RefreshToken: rNew}},
		{"remove-changed-access", token{ID: "2", AccessToken: aNew, Expiry: at(9)}},
	} {
		cases = append(cases, Case{Name: c.name, Rule: ruleRemoveChanged, run: func(t *trial) {
			t.seed(r1, r2, r3)
			now := t.save(c.change)
			t.removes([]token{r1, r2, r3}, nil, tokenstore.ErrConflict, nil)
			t.holds(now)
			t.removes([]token{now}, nil)
			t.holds()
		}})
	}
	return cases
}

func (t *trial) remover() tokenstore.Remover {
	r, ok := tokenstore.As[tokenstore.Remover](t.store.store)
	if !ok {
		t.lacks("the store has no DeleteUnchanged")
	}
	return r
}

// removes deletes tokens that are unchanged, and compares the error of each. If the service
// throttles a part, it stores again what was to be deleted, and deletes all once more.
func (t *trial) removes(tokens []token, want ...error) {
	var got []error
	_ = repeated(func() error {
		if throttled(errors.Join(got...)) {
			for i, kind := range want {
				if kind == nil {
					t.save(tokens[i])
				}
			}
		}
		got = t.remover().DeleteUnchanged(t.ctx, tokens)
		return errors.Join(got...)
	}, throttled)
	if len(got) != len(want) {
		t.fails("DeleteUnchanged returned %d errors for %d tokens", len(got), len(want))
		return
	}
	for i, kind := range want {
		err := got[i]
		t.store.checkErr(t.ctx, "delete unchanged", err)
		if kind == nil {
			t.must("delete", err)
			continue
		}
		t.matchesKind("delete", err, kind)
	}
}

// removeWhileSaving deletes a token as it was read while others save a new access token. If a
// save has found the token, nothing may delete it after that.
func removeWhileSaving(t *trial) {
	t.remover()
	handles := t.handles()
	for round := range 8 {
		t.seed(r1)
		var faults []error
		var saved token
		together(2, func(i int) {
			// Each is the first to start in half of the rounds.
			if i == round%2 {
				faults = t.remover().DeleteUnchanged(t.ctx, []token{r1})
				return
			}
			var err error
			saved, err = handles[len(handles)-1].patient(t.ctx, token{ID: "1", AccessToken: aNew, Expiry: at(9)})
			if err != nil {
				t.fails("save: %s", safe(err))
			}
		})
		if len(faults) != 1 {
			t.fails("DeleteUnchanged returned %d errors for one token", len(faults))
			return
		}
		t.store.checkErr(t.ctx, "delete unchanged", faults[0])
		if saved.RefreshToken == r1.RefreshToken && faults[0] == nil {
			t.fails("a token was changed, and then deleted as if it had not been")
		}
		t.holds(saved)
		t.must("delete", t.store.DeleteToken(t.ctx, "1"))
	}
}
