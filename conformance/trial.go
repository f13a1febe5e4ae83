// One run of a store case: the calls and checks that cases are made of.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// trial is one run of one case.
type trial struct {
	record
	ctx      context.Context
	settings *settings
	store    *handle
	other    *handle // The second handle of the concurrent cases, or nil.

	generated map[string]bool // IDs that the store has made; guarded by mu.
}

func caseTrial(ctx context.Context, s *settings, name, rule string) *trial {
	return &trial{ctx: ctx, settings: s, record: record{name: name, rule: rule}, generated: map[string]bool{}}
}

// refuses records that the store properly refused a token that it should be able to store.
func (t *trial) refuses(format string, args ...any) {
	t.add(Finding{Rule: t.rule, Detail: fmt.Sprintf(format, args...), refusal: true})
}

// empty reports whether the store is empty, and records a finding if it is not: the suite
// deletes tokens, and must not delete any but its own.
func (t *trial) empty() bool {
	tokens, err := t.store.GetTokens(t.ctx)
	if err != nil {
		t.breaks(ruleNewStore, "list the new store: %s", safe(err))
		return false
	}
	if len(tokens) != 0 {
		t.breaks(ruleNewStore, "the new store holds %d tokens", len(tokens))
		return false
	}
	return true
}

// second returns a second handle on the store, or ends the case.
func (t *trial) second() *handle {
	if t.settings.reopen == nil {
		t.fails("the store cannot be opened again: WithReopen was not given")
		giveUp()
	}
	store, err := t.settings.reopen(t.ctx, t.store.store)
	t.must("open the store again", err)
	t.closes(store)
	return &handle{store: store, trial: t}
}

// save calls SaveToken and ends the case if that fails.
func (t *trial) save(tok token) token {
	t.settings.tick()
	saved, err := t.store.SaveToken(t.ctx, tok)
	t.must("save", err)
	return saved
}

// seed saves rows that have IDs of their own, oldest first.
func (t *trial) seed(rows ...token) {
	for _, r := range rows {
		if diff := difference(t.save(r), r); diff != "" {
			t.breaks(ruleInsert, "save a new token with a given ID: %s", diff)
			giveUp()
		}
	}
}

// finds checks that query finds want.
func (t *trial) finds(query, want token) {
	t.found("find", want)(t.store.FindToken(t.ctx, query))
}

// found returns a check of the result of a call that finds a token.
func (t *trial) found(doing string, want token) func(token, error) {
	return func(got token, err error) {
		switch {
		case err != nil:
			t.fails("%s: %s, instead of the token %s", doing, safe(err), show(want.ID, false))
		case got != want:
			t.fails("%s: %s", doing, difference(got, want))
		}
	}
}

// findsNone checks that query finds nothing.
func (t *trial) findsNone(query token) {
	got, err := t.store.FindToken(t.ctx, query)
	t.isNotFound("find", got, err)
}

func (t *trial) isNotFound(doing string, got token, err error) {
	switch {
	case err == nil:
		t.fails("%s: found the token %s, instead of nothing", doing, show(got.ID, false))
	case !errors.Is(err, tokenstore.ErrNotFound):
		t.fails("%s: %s, instead of an error that matches ErrNotFound", doing, safe(err))
	}
}

// matchesKind checks an error's kind.
func (t *trial) matchesKind(doing string, err, kind error) {
	if !errors.Is(err, kind) {
		t.fails("%s: %s, instead of an error that matches %q", doing, safe(err), kind)
	}
}

// list returns the rows, oldest first, or ends the case.
func (t *trial) list() []token {
	tokens, err := t.store.GetTokens(t.ctx)
	t.must("list", err)
	return tokens
}

// holds checks that the store holds exactly these rows, oldest first, and that
// each is found by each of its keys.
func (t *trial) holds(rows ...token) { t.holdsBy(t.store, rows) }

// holdsBy is holds for a given handle.
func (t *trial) holdsBy(h *handle, rows []token) {
	got, err := h.GetTokens(t.ctx)
	t.must("list", err)
	if !sameRows(got, rows) {
		t.fails("the store now holds %s", rowsDifference(got, rows))
		return
	}
	for _, r := range rows {
		t.foundByAll(h, r, rows)
	}
}

func sameRows(got, want []token) bool { return slices.Equal(got, want) }

func rowsDifference(got, want []token) string {
	var ids, wanted []string
	for _, r := range got {
		ids = append(ids, show(r.ID, false))
	}
	for _, r := range want {
		wanted = append(wanted, show(r.ID, false))
	}
	text := fmt.Sprintf("the tokens [%s] instead of [%s]", strings.Join(ids, " "), strings.Join(wanted, " "))
	for i := range min(len(got), len(want)) {
		if got[i].ID == want[i].ID && got[i] != want[i] {
			text += fmt.Sprintf("; of %s, %s", ids[i], difference(got[i], want[i]))
		}
	}
	return text
}

// foundByAll checks that each key of r finds r, or a row that takes precedence.
func (t *trial) foundByAll(h *handle, r token, rows []token) {
	got, err := h.FindTokenByID(t.ctx, r.ID)
	t.foundBy("ID", got, err, []token{r})
	for _, k := range tokenstore.KeysOf(r) {
		got, err := h.FindToken(t.ctx, tokenstore.QueryFor(k))
		t.foundBy(string(k.Kind), got, err, t.candidates(rows, k))
	}
}

// candidates returns the rows that a find by k may return: the oldest, and
// those whose generated ID may belong to the key.
func (t *trial) candidates(rows []token, k tokenstore.Key) []token {
	var all []token
	for _, r := range rows {
		if tokenstore.Holds(r, k) && (len(all) == 0 || t.isGenerated(r.ID)) {
			all = append(all, r)
		}
	}
	return all
}

func (t *trial) isGenerated(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generated[id]
}

func (t *trial) foundBy(key string, got token, err error, candidates []token) {
	switch {
	case err != nil:
		t.breaks(ruleEveryKey, "find %s by its %s: %s", show(candidates[0].ID, false), key, safe(err))
	case !slices.Contains(candidates, got):
		t.breaks(ruleEveryKey, "find %s by its %s: %s", show(candidates[0].ID, false), key, difference(got, candidates[0]))
	}
}
