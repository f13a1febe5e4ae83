// Optional abilities that look at a store: to find many tokens in one call, to tell whether
// there is a store, and to bring back what was deleted.

package conformance

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
)

const (
	ruleFindMany = "finding many tokens in one call returns what single finds return, in the order of the queries; what is not found is empty, and no error"
	ruleExists   = "Exists reports true once a token is stored, and only reads"
	ruleUndelete = "UndeleteToken stores a deleted token as it was, or its error matches ErrNotFound and says why; if a token with this ID or of its user is stored, nothing changes"
)

// manyFinder is a store that finds many tokens in one call.
type manyFinder interface {
	FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

func lookCases() []Case {
	return []Case{
		{Name: "find-many", Rule: ruleFindMany, run: findMany},
		{Name: "exists", Rule: ruleExists, run: exists},
		{Name: "undelete", Rule: ruleUndelete, run: undelete},
		{Name: "undelete-stored", Rule: ruleUndelete, run: undeleteStored},
	}
}

// findMany compares a few queries, and many, with single finds.
func findMany(t *trial) {
	many, ok := tokenstore.As[manyFinder](t.store.store)
	if !ok {
		t.lacks("the store has no FindTokens")
	}
	t.seed(r1, r2, r3)
	queries := append(findQueries(), token{UserName: "u1"}, token{ID: "3"}, token{UserName: "u1"})
	want := make([]token, len(queries))
	for i, query := range queries {
		found, err := t.store.FindToken(t.ctx, query)
		if want[i] = found; err != nil {
			t.isNotFound("find", found, err)
			want[i] = token{}
		}
	}
	find := func(queries []token) (found []token, err error) {
		asked := slices.Clone(queries)
		err = repeated(func() (err error) {
			found, err = many.FindTokens(t.ctx, asked)
			return err
		}, throttled)
		t.store.checkErr(t.ctx, "find many", err)
		if !slices.Equal(asked, queries) {
			t.fails("find many: the argument was changed")
		}
		return found, err
	}
	for _, times := range []int{0, 1, 8} {
		found, err := find(slices.Repeat(queries, times))
		t.must("find many", err)
		if !sameRows(found, slices.Repeat(want, times)) {
			t.fails("find many returned other tokens than %d single finds", len(queries)*times)
		}
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, err := many.FindTokens(ctx, queries)
	t.matchesKind("find many with an ended context", err, context.Canceled)
	t.holds(r1, r2, r3)
}

// exists asks before and after the first save. A service may list it late.
func exists(t *trial) {
	handles := t.handles()
	ask := func(ctx context.Context, h *handle) (exists bool, err error) {
		e, ok := tokenstore.As[tokenstore.Exister](h.store)
		if !ok {
			t.lacks("the store has no Exists")
		}
		err = repeated(func() (err error) {
			exists, err = e.Exists(ctx)
			return err
		}, throttled)
		t.store.checkErr(ctx, "look for a store", err)
		return exists, err
	}
	_, err := ask(t.ctx, t.store)
	t.must("look for a new store", err)
	t.holds()
	t.seed(r1)
	for _, h := range handles {
		there := false
		for n := 0; n < 100 && !there; n++ {
			t.settings.tick()
			there, err = ask(t.ctx, h)
			t.must("look for a store", err)
		}
		if !there {
			t.fails("a store with a token does not exist")
		}
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, err = ask(ctx, t.store)
	t.matchesKind("look for a store with an ended context", err, context.Canceled)
	t.holds(r1)
}

// undeletes brings a token back, or reports that the service no longer has it.
func (t *trial) undeletes(ctx context.Context, id string) (back token, err error) {
	u, ok := tokenstore.As[tokenstore.Undeleter](t.store.store)
	if !ok {
		t.lacks("the store has no UndeleteToken")
	}
	err = repeated(func() (err error) {
		back, err = u.UndeleteToken(ctx, id)
		return err
	}, throttled)
	t.store.check(ctx, "undelete", back, err)
	if errors.Is(err, tokenstore.ErrNotFound) && err.Error() == tokenstore.ErrNotFound.Error() {
		t.fails("UndeleteToken does not say why there is nothing")
	}
	return back, err
}

func undelete(t *trial) {
	a, b := t.save(withoutID(r1)), t.save(withoutID(r2))
	_, err := t.undeletes(t.ctx, "unknown")
	t.matchesKind("undelete what was never stored", err, tokenstore.ErrNotFound)
	t.must("delete", t.store.DeleteToken(t.ctx, a.ID))
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, err = t.undeletes(ctx, a.ID)
	t.matchesKind("undelete with an ended context", err, context.Canceled)
	t.has(b)
	back, err := t.undeletes(t.ctx, a.ID)
	if errors.Is(err, tokenstore.ErrNotFound) {
		t.has(b)
		return
	}
	t.found("undelete", a)(back, err)
	t.has(a, b)
}

// undeleteStored undeletes a token that is there, and one whose user has another by now.
func undeleteStored(t *trial) {
	a, b := t.save(withoutID(r1)), t.save(withoutID(r2))
	_, err := t.undeletes(t.ctx, a.ID)
	if !errors.Is(err, tokenstore.ErrNotFound) { // The service may keep nothing at all.
		t.matchesKind("undelete what is stored", err, tokenstore.ErrConflict)
	}
	t.has(a, b)
	t.must("delete", t.store.DeleteToken(t.ctx, a.ID))
	later := edited(a, func(t *token) { t.ID, t.AccessToken = "9", aNew })
	t.save(later)
	if _, err = t.undeletes(t.ctx, a.ID); !errors.Is(err, tokenstore.ErrNotFound) {
		t.matchesKind("undelete a token whose user has another one", err, tokenstore.ErrConflict)
	}
	t.has(b, later)
}
