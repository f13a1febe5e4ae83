// A store that saves many tokens in one call plans them together. That must not change the
// outcome: the cases here compare a batch with the same saves made one by one.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"example.com/tokenstore"
)

const ruleMany = "saving many tokens in one call has the same result as saving them one by one in that order: the same tokens, and the same errors in the same places (a store may save all or none)"

// manySaver is a store that saves many tokens in one call.
type manySaver interface {
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// manyCases test SaveTokens.
func manyCases() []Case {
	user := func(n int, change func(*token)) token {
		t := withoutID(row(fmt.Sprint(n), fmt.Sprint("u", n), c1, s1))
		change(&t)
		return t
	}
	same := func(*token) {}
	ownerless := token{ClientID: c1, ClientSecret: s1, RefreshToken: rNew}
	fixed := []struct {
		name   string
		before []token
		batch  []token
	}{
		{"many", []token{r1, r2}, []token{
			user(4, same), {UserName: "u1", AccessToken: aNew}, r2, user(5, same), {ID: "2", APIDomain: "https://api.example/2b"},
		}},
		{"many-none", []token{r1}, nil},
		{"many-one-row", []token{r1}, []token{
			user(4, same), user(4, func(t *token) { t.AccessToken = aNew }), {UserName: "u4", APIDomain: "https://api.example/4b"},
			{UserName: "u1", AccessToken: secret("access-1b")}, {ID: "1", RefreshToken: secret("refresh-1b")}, {UserName: "u1", AccessToken: secret("access-1c")},
		}},
		{"many-adoption", []token{{ID: "8", ClientID: c1, ClientSecret: s1, RefreshToken: secret("refresh-5")}}, []token{
			ownerless, {UserName: "u4", ClientID: c1, ClientSecret: s1, RefreshToken: rNew}, user(5, same), ownerless,
			{UserName: "u6", ClientID: c1, ClientSecret: s1, RefreshToken: secret("refresh-5")},
		}},
		{"many-invalid", []token{r1}, []token{
			user(4, same), {UserName: "u9", ClientID: c1, ClientSecret: s1}, user(5, same), {UserName: "u9", AccessToken: aNew}, {UserName: "u9", APIDomain: "x"},
		}},
		{"many-valid-later", []token{r1}, []token{
			// Alone, the second is refused; after the first it is an update.
			user(4, same), {UserName: "u4", APIDomain: "https://api.example/4b"}, {UserName: "u1", APIDomain: "https://api.example/1b"},
		}},
	}
	var cases []Case
	for _, c := range fixed {
		cases = append(cases, Case{Name: c.name, Rule: ruleMany, run: func(t *trial) { t.asOneByOne(c.before, c.batch) }})
	}
	return append(cases,
		Case{Name: "many-derived-id", Rule: ruleMany, run: func(t *trial) {
			// A token with the ID that another one of the batch is about to get.
			t.manySaver()
			derived := t.save(user(4, same)).ID
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			other := user(5, func(t *token) { t.ID = derived })
			t.asOneByOne(nil, []token{other, user(4, same)})
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			t.asOneByOne(nil, []token{user(4, same), other})
		}},
		Case{Name: "many-cancelled", Rule: ruleContext, run: func(t *trial) {
			many := t.manySaver()
			t.seed(r1)
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			_, err := many.SaveTokens(ctx, []token{user(4, same), {UserName: "u1", AccessToken: aNew}})
			t.matchesKind("save many with an ended context", err, context.Canceled)
			t.holds(r1)
		}},
		Case{Name: "many-random", Rule: ruleMany, run: func(t *trial) {
			t.manySaver()
			for seed := range max(3, t.settings.tokens/25) {
				random := rand.New(rand.NewPCG(uint64(seed), 1))
				t.asOneByOne(randomTokens(random, random.IntN(4)), randomTokens(random, 1+random.IntN(6)))
				t.must("delete all", t.store.DeleteTokens(t.ctx))
				if len(t.findings) > 0 {
					t.fails("in random batch %d", seed)
					return
				}
			}
		}},
	)
}

// randomTokens returns tokens that share many values.
func randomTokens(random *rand.Rand, n int) []token {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	tokens := make([]token, n)
	for i := range tokens {
		t := &tokens[i]
		t.ID = pick("", "", "", "x1", "x2") // Not numbers, which a store may generate.
		t.UserName = pick("", "u1", "u2", "u3")
		t.RefreshToken = pick("", secret("refresh-1"), secret("refresh-2"))
		t.GrantToken = pick("", "", secret("grant-1"))
		t.AccessToken = pick("", secret("access-1"), secret("access-2"), secret("access-3"))
		if random.IntN(4) > 0 {
			t.ClientID, t.ClientSecret = c1, s1
		}
		if random.IntN(2) == 0 {
			t.Expiry = at(random.IntN(3))
		}
	}
	return tokens
}

// manySaver returns the store's SaveTokens, or ends the case.
func (t *trial) manySaver() manySaver {
	many, ok := tokenstore.As[manySaver](t.store.store)
	if !ok {
		t.lacks("the store has no SaveTokens")
	}
	return many
}

// outcomes is the result of a batch, or of the same saves one by one.
type outcomes struct {
	saved  []token // empty where a save failed
	faults []error // one by one only
	err    error   // of the batch only
	stored []token
}

// asOneByOne saves the batch in one call, restores the store, saves the same tokens one
// by one, and compares the outcomes. The store is left as after the single saves.
func (t *trial) asOneByOne(before, batch []token) {
	many := t.manySaver()
	prepare := func() []token {
		for _, b := range before {
			t.settings.tick()
			// A random token may be refused, but then both times.
			_, _ = t.store.SaveToken(t.ctx, b)
		}
		t.settings.tick()
		return t.list()
	}
	var start []token
	var all outcomes
	asked := slices.Clone(batch)
	_ = repeated(func() error {
		if throttled(all.err) { // It may have saved a part.
			t.must("delete all", t.store.DeleteTokens(t.ctx))
		}
		start = prepare()
		all.saved, all.err = many.SaveTokens(t.ctx, asked)
		if !slices.Equal(asked, batch) {
			t.fails("save many: the argument was changed")
		}
		return all.err
	}, throttled)
	t.store.checkErr(t.ctx, "save many", all.err)
	all.stored = t.list()
	t.must("delete all", t.store.DeleteTokens(t.ctx))

	prepare()
	var single outcomes
	for _, b := range batch {
		t.settings.tick()
		saved, err := t.store.SaveToken(t.ctx, b)
		if err != nil {
			saved = token{}
		}
		single.saved, single.faults = append(single.saved, saved), append(single.faults, err)
	}
	single.stored = t.list()
	var given []string
	for _, b := range slices.Concat(before, batch) {
		given = append(given, b.ID)
	}
	t.compareMany(start, all, single, given)
}

// compareMany compares the outcomes of a batch and of single saves of tokens with the
// given IDs.
func (t *trial) compareMany(start []token, all, single outcomes, given []string) {
	failed := errors.Join(single.faults...)
	if all.err != nil && failed != nil && sameRows(t.alike(all.stored, given), t.alike(start, given)) &&
		!slices.ContainsFunc(all.saved, func(s token) bool { return s != token{} }) {
		return // All or none.
	}
	if (all.err == nil) != (failed == nil) {
		t.fails("save many: %s; one by one: %s", safe(all.err), safe(failed))
		return
	}
	for _, fault := range single.faults {
		if kind := tokenstore.Kind(fault); kind != nil && !errors.Is(all.err, kind) {
			t.fails("save many: %s, instead of an error that matches %q", safe(all.err), kind)
		}
	}
	if got, want := t.alike(all.saved, given), t.alike(single.saved, given); !sameRows(got, want) {
		t.fails("save many returned %s", rowsDifference(got, want))
	}
	if got, want := t.alike(all.stored, given), t.alike(single.stored, given); !sameRows(got, want) {
		t.fails("after saving many the store holds %s", rowsDifference(got, want))
	}
}

// alike returns the tokens with each generated ID replaced by the place where it first
// occurs, since IDs may be random. Given IDs stay.
func (t *trial) alike(tokens []token, given []string) []token {
	places := map[string]string{}
	alike := slices.Clone(tokens)
	for i := range alike {
		id := alike[i].ID
		if id == "" || !t.isGenerated(id) && slices.Contains(given, id) {
			continue
		}
		if places[id] == "" {
			places[id] = fmt.Sprint("made-", len(places)+1)
		}
		alike[i].ID = places[id]
	}
	return alike
}
