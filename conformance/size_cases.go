// Cases of many tokens and of tokens near and above the size limit.

package conformance

import (
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
)

// sizeCases test many tokens, and large ones.
func sizeCases() []Case {
	return []Case{
		{Name: "thousand", Rule: ruleEveryKey, run: thousand},
		{Name: "too-large", Rule: ruleWholly, run: tooLarge},
		{Name: "long-all-fields", Rule: ruleTexts, refusable: true, run: func(t *trial) {
			t.seed(r1)
			t.texts(around(strings.Repeat("ü\"", 256), "first"), around(strings.Repeat("a,", 512), "second"))
		}},
	}
}

// thousand stores many tokens, lists them, and finds some of them by every key.
func thousand(t *trial) {
	n := t.settings.tokens
	rows := make([]token, n)
	for i := range rows {
		asked := withoutID(row(fmt.Sprint(i), fmt.Sprint("user-", i, "@example.com:", 60_000_000+i), c1, s1))
		rows[i] = withoutID(t.save(asked))
		if rows[i] != asked {
			t.fails("save: %s", difference(rows[i], asked))
			giveUp()
		}
	}
	listed := t.list()
	if len(listed) != n {
		t.fails("list: %d tokens instead of %d", len(listed), n)
		giveUp()
	}
	ids := map[string]bool{}
	for i, l := range listed {
		if ids[l.ID] {
			t.breaks(ruleDistinct, "two tokens have the ID %s", show(l.ID, false))
		}
		ids[l.ID] = true
		if withoutID(l) != rows[i] {
			t.breaks(ruleList, "token %d of the list is not the one that was saved as number %d", i, i)
			giveUp()
		}
	}
	for i := 0; i < n; i += max(1, n/25) {
		t.foundByAll(t.store, listed[i], listed[i:i+1])
	}
	t.findsNone(token{UserName: "user-1"})
	t.must("delete all", t.store.DeleteTokens(t.ctx))
	t.holds()
}

// tooLarge updates a small token to larger and larger ones. Each is stored completely, or
// it is refused and the previous one stays.
func tooLarge(t *trial) {
	t.seed(r1)
	now := r1
	for size := 8 << 10; size <= 2<<20; size *= 4 {
		next := edited(now, func(t *token) { t.AccessToken, t.Expiry = secret(strings.Repeat("x", size)), at(size) })
		saved, err := t.store.SaveToken(t.ctx, next)
		switch {
		case err == nil:
			t.found("save", next)(saved, nil)
			now = next
		case errors.Is(err, tokenstore.ErrTooLarge), errors.Is(err, tokenstore.ErrInvalidToken):
		default:
			t.fails("save %d bytes: %s", size, safe(err))
		}
		t.holds(now)
	}
	t.found("save", r1)(t.save(r1), nil)
	t.holds(r1)
}
