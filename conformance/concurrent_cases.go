// Cases with many callers at the same time: races that a store must decide as if the calls
// had been made one after the other.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
)

// many is the number of concurrent goroutines.
const many = 100

// concurrentCases use one handle or, if the store can be opened again, two.
func concurrentCases() []Case {
	return []Case{
		{Name: "concurrent-one-token", Rule: ruleNoLostField, run: oneToken},
		{Name: "concurrent-expiry", Rule: "two concurrent saves have the same result as one after the other: an expiry belongs to its access token", run: pairsOfExpiry},
		{Name: "concurrent-new-user", Rule: ruleUser, run: oneNewUser},
		{Name: "concurrent-ownerless", Rule: ruleOwnerless, run: ownerless},
		{Name: "concurrent-adoption", Rule: ruleUser, run: adoption},
		{Name: "concurrent-given-id", Rule: ruleDistinct, run: givenID},
		{Name: "concurrent-users", Rule: ruleDistinct, run: manyUsers},
		{Name: "concurrent-find", Rule: ruleEveryKey, run: findWhileSaving},
		{Name: "concurrent-list", Rule: ruleListAll, run: listWhileSaving},
		{Name: "concurrent-delete", Rule: "a concurrent save and delete have the same result as one after the other", run: saveAndDelete},
	}
}

// handles returns the handles to use.
func (t *trial) handles() []*handle {
	if t.settings.reopen == nil {
		return []*handle{t.store}
	}
	if t.other == nil {
		t.other = t.second()
	}
	return []*handle{t.store, t.other}
}

// together runs f in n goroutines that start at the same time, and waits for them.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// saveAll saves n tokens concurrently and returns the results; it ends the case if a save
// fails.
func (t *trial) saveAll(n int, of func(i int) token) []token {
	handles := t.handles()
	saved, errs := make([]token, n), make([]error, n)
	together(n, func(i int) { saved[i], errs[i] = handles[i%len(handles)].patient(t.ctx, of(i)) })
	for _, err := range errs {
		t.must("save", err)
	}
	return saved
}

// oneToken has each goroutine save one field of one token, in rounds. After each round
// every field has the round's value, in whatever order the saves happened.
func oneToken(t *trial) {
	t.seed(r1, r2)
	want := r1
	for round := range 4 {
		value := func(f int) string { return mark + "-" + texts[f].name + "-round-" + digit(round) }
		t.saveAll(many, func(i int) token {
			tok := token{ID: "1"}
			if f := i % (len(texts) + 1); f < len(texts) {
				*texts[f].of(&tok) = value(f)
			}
			tok.Expiry = at(round)
			return tok
		})
		for f := range texts {
			*texts[f].of(&want) = value(f)
		}
		want.Expiry = at(round)
		t.holds(want, r2)
	}
}

// pairsOfExpiry saves access tokens with and without an expiry.
func pairsOfExpiry(t *trial) {
	t.seed(r1)
	of := func(i int) token {
		tok := token{UserName: "u1", AccessToken: secret("access-of-" + fmt.Sprint(i))}
		if i%2 == 0 {
			tok.Expiry = at(i)
		}
		return tok
	}
	t.saveAll(many, of)
	rows := t.list()
	if len(rows) != 1 || rows[0].ID != "1" {
		t.fails("%d tokens are stored instead of one", len(rows))
		return
	}
	for i := range many {
		if o := of(i); o.AccessToken == rows[0].AccessToken {
			want := edited(r1, func(t *token) { t.AccessToken, t.Expiry = o.AccessToken, o.Expiry })
			t.holds(want)
			return
		}
	}
	t.fails("the access token is not one of those that were saved")
}

// same checks that all results are the one stored token.
func (t *trial) same(saved []token) {
	for _, s := range saved {
		if s.ID != saved[0].ID {
			t.fails("two saves wrote different tokens")
			break
		}
	}
	rows := t.list()
	if len(rows) != 1 {
		t.fails("%d tokens are stored instead of one", len(rows))
		return
	}
	t.holds(rows...)
}

func oneNewUser(t *trial) {
	for round := range 4 {
		t.same(t.saveAll(many, func(i int) token {
			return token{UserName: "u" + digit(round), ClientID: c1, ClientSecret: s1, RefreshToken: secret("refresh-of-" + fmt.Sprint(i%3)), AccessToken: secret("access-of-" + fmt.Sprint(i)), Expiry: at(i)}
		}))
		t.must("delete all", t.store.DeleteTokens(t.ctx))
	}
}

func ownerless(t *trial) {
	for range 4 {
		t.same(t.saveAll(many, func(i int) token {
			return token{ClientID: c1, ClientSecret: s1, RefreshToken: rNew, AccessToken: secret("access-of-" + fmt.Sprint(i)), Expiry: at(i)}
		}))
		t.must("delete all", t.store.DeleteTokens(t.ctx))
	}
}

// adoption saves one refresh token with and without its user: in either order one token
// remains, and it belongs to the user.
func adoption(t *trial) {
	for range 4 {
		saved := t.saveAll(many/2, func(i int) token {
			tok := token{ClientID: c1, ClientSecret: s1, RefreshToken: rNew, AccessToken: secret("access-of-" + fmt.Sprint(i))}
			if i%2 == 0 {
				tok.UserName = "u7"
			}
			return tok
		})
		t.same(saved)
		if rows := t.list(); len(rows) == 1 && rows[0].UserName != "u7" {
			t.fails("the token is not the user's")
		}
		t.must("delete all", t.store.DeleteTokens(t.ctx))
	}
}

func givenID(t *trial) {
	saved := t.saveAll(many, func(i int) token {
		return token{ID: "given", UserName: "u1", AccessToken: secret("access-of-" + fmt.Sprint(i%7))}
	})
	t.same(saved)
}

// manyUsers saves different users concurrently.
func manyUsers(t *trial) {
	saved := t.saveAll(many, func(i int) token { return withoutID(row(fmt.Sprint(i), fmt.Sprint("user-", i), c1, s1)) })
	t.distinct(saved)
}

// twoAtOnce is case S40: two new users, saved concurrently, many times over.
func twoAtOnce(t *trial) {
	var all []token
	for round := range 10 {
		all = append(all, t.saveAll(2, func(i int) token {
			return withoutID(row(fmt.Sprint(round, "-", i), fmt.Sprint("user-", round, "-", i), c1, s1))
		})...)
	}
	t.distinct(all)
}

// distinct checks that the store holds exactly these tokens, in any order.
func (t *trial) distinct(saved []token) {
	ids := map[string]bool{}
	for _, s := range saved {
		if ids[s.ID] {
			t.fails("two tokens have the ID %s", show(s.ID, false))
		}
		ids[s.ID] = true
	}
	rows := t.list()
	byID := func(a, b token) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(rows, byID)
	slices.SortFunc(saved, byID)
	if !sameRows(rows, saved) {
		t.fails("%d tokens were saved concurrently, but %d, or others, are stored", len(saved), len(rows))
	}
	for _, r := range saved {
		t.finds(token{UserName: r.UserName}, r)
		t.found("find by ID", r)(t.store.FindTokenByID(t.ctx, r.ID))
	}
}

// findWhileSaving finds a token by the keys that stay, while others change.
func findWhileSaving(t *trial) {
	t.seed(r1, r2, r3)
	handles := t.handles()
	const savers, saves, finds = 2, 20, 2000
	var saving atomic.Int64
	saving.Store(savers)
	together(10, func(i int) {
		if i < savers {
			defer saving.Add(-1)
			for n := range saves {
				tok := token{ID: "1", AccessToken: secret(fmt.Sprint("access-", i, "-", n)), Expiry: at(n)}
				tok.APIDomain = tok.AccessToken
				if _, err := handles[i%len(handles)].patient(t.ctx, tok); err != nil {
					t.fails("save: %s", safe(err))
				}
			}
			return
		}
		for n := 0; n < finds && saving.Load() > 0; n++ {
			t.findWhole(handles[(i+n)%len(handles)], i)
			runtime.Gosched()
		}
	})
}

// findWhole finds r1 by one of the keys that stay.
func (t *trial) findWhole(h *handle, i int) {
	queries := []token{{UserName: "u1"}, {ID: "1"}, {GrantToken: r1.GrantToken, ClientID: c1, ClientSecret: s1}, {RefreshToken: r1.RefreshToken, ClientID: c1, ClientSecret: s1}}
	got, err := h.FindToken(t.ctx, queries[i%len(queries)])
	switch {
	case tokenstore.Retryable(err):
	case err != nil:
		t.fails("find while others save: %s", safe(err))
	case got.ID != "1" || (got != r1 && got.APIDomain != got.AccessToken):
		t.fails("find while others save: the token has fields of two different saves")
	}
}

// saveAndDelete saves, finds and deletes one user concurrently: the token is there
// completely or not at all, and never twice.
func saveAndDelete(t *trial) {
	handles := t.handles()
	t.seed(r1)
	whole := func(doing string, got token, err error) {
		switch {
		case errors.Is(err, tokenstore.ErrNotFound), tokenstore.Retryable(err):
		case err != nil:
			t.fails("%s while others save and delete: %s", doing, safe(err))
		case got != r1:
			t.fails("%s while others save and delete: %s", doing, difference(got, r1))
		}
	}
	const savers, saves, finds = 8, 10, 1000
	var saving atomic.Int64
	saving.Store(savers)
	together(2*savers, func(i int) {
		if i < savers {
			defer saving.Add(-1)
			for n := range saves {
				saved, err := handles[(i+n)%len(handles)].patient(t.ctx, r1)
				whole("save", saved, err)
			}
			return
		}
		for n := 0; n < finds && saving.Load() > 0; n++ {
			h := handles[(i+n)%len(handles)]
			found, err := h.FindToken(t.ctx, token{UserName: "u1"})
			whole("find", found, err)
			if err == nil && n%4 == 0 {
				if err := h.DeleteToken(t.ctx, found.ID); err != nil && !tokenstore.Retryable(err) {
					t.fails("delete: %s", safe(err))
				}
			}
		}
	})
	rows := t.list()
	if len(rows) > 1 || (len(rows) == 1 && rows[0] != r1) {
		t.fails("%d tokens are stored, or an incomplete one", len(rows))
	}
	t.holds(rows...)
	t.same([]token{t.save(r1)})
}

// cancelledMidway cancels saves at random moments. Each must have happened completely or
// not at all, and one that returned no error must have happened.
func cancelledMidway(t *trial) {
	now := r1
	t.seed(r1, r2)
	for n := range 60 {
		asked := token{ID: "1", AccessToken: secret(fmt.Sprint("access-m", n)), RefreshToken: secret(fmt.Sprint("refresh-m", n)), APIDomain: fmt.Sprint("m", n), Expiry: at(n)}
		next := edited(now, func(t *token) {
			t.AccessToken, t.RefreshToken, t.APIDomain, t.Expiry = asked.AccessToken, asked.RefreshToken, asked.APIDomain, asked.Expiry
		})
		ctx, cancel := context.WithCancel(t.ctx)
		done := make(chan error, 1)
		go func() {
			_, err := t.store.SaveToken(ctx, asked)
			done <- err
		}()
		wait(rand.N(500 * time.Microsecond))
		cancel()
		err := <-done
		rows := t.list()
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			t.fails("a cancelled save: %s, instead of the context's error", safe(err))
		case len(rows) > 0 && rows[0] == next:
			now = next
		case err == nil:
			t.fails("the save returned no error, but is not stored")
		}
		t.holds(now, r2)
	}
}

// wait lets a moment pass; no check depends on its length.
func wait(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
		runtime.Gosched()
	}
}
