// Services may never return what was written, or keep what was deleted, without an error. A
// store that does not expect this waits forever, or reports a deletion that did not happen.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"example.com/tokenstore"
)

const (
	ruleVerified = "a delete that returns no error has removed the token, even if the service ignores removals"
	ruleListAll  = "GetTokens returns every token that is stored from the beginning of the call to its end, even while others save and rotate it"
)

func boundCases() []Case {
	var cases []Case
	for _, c := range []struct {
		name string
		call func(context.Context, *handle) error
	}{
		{"save", func(ctx context.Context, h *handle) error {
			_, err := h.SaveToken(ctx, withoutID(r1))
			return err
		}},
		{"save-again", func(ctx context.Context, h *handle) error {
			_, _ = h.SaveToken(ctx, withoutID(r1))
			_, err := h.SaveToken(ctx, edited(withoutID(r1), func(t *token) { t.RefreshToken = rNew }))
			return err
		}},
		{"save-many", func(ctx context.Context, h *handle) error {
			many, ok := tokenstore.As[manySaver](h.store)
			if !ok {
				return nil
			}
			_, err := many.SaveTokens(ctx, []token{withoutID(r1), withoutID(r2)})
			return err
		}},
		{"find", func(ctx context.Context, h *handle) error {
			_, _ = h.SaveToken(ctx, withoutID(r1))
			_, err := h.FindToken(ctx, token{UserName: "u1"})
			return err
		}},
		{"list", func(ctx context.Context, h *handle) error {
			_, _ = h.SaveToken(ctx, withoutID(r1))
			_, err := h.GetTokens(ctx)
			return err
		}},
		{"delete", func(ctx context.Context, h *handle) error {
			_, _ = h.SaveToken(ctx, r1)
			return h.DeleteToken(ctx, r1.ID)
		}},
		{"delete-all", func(ctx context.Context, h *handle) error {
			_, _ = h.SaveToken(ctx, r1)
			return h.DeleteTokens(ctx)
		}},
	} {
		cases = append(cases, Case{Name: "unseen-" + c.name, Rule: ruleBounded, run: func(t *trial) {
			if t.settings.unseen == nil {
				t.lacks("WithUnseen was not given")
			}
			store, err := t.settings.unseen(t.ctx)
			t.must("WithUnseen", err)
			t.closes(store)
			// Whether the call succeeds does not matter, only that it returns.
			_ = t.bounded(t.ctx, t.settings.patience, c.name+" on a service that never returns what was written", func(ctx context.Context) error {
				return c.call(ctx, &handle{store: store, trial: t})
			})
		}})
	}
	return append(cases,
		Case{Name: "delete-ignored", Rule: ruleVerified, run: func(t *trial) {
			t.keepsAll()
			t.kept(t.store.DeleteToken(t.ctx, "1"))
		}},
		Case{Name: "delete-all-ignored", Rule: ruleVerified, run: func(t *trial) {
			t.keepsAll()
			t.kept(t.store.DeleteTokens(t.ctx))
		}},
	)
}

// keepsAll stores tokens that can no longer be removed.
func (t *trial) keepsAll() {
	if t.settings.keep == nil {
		t.lacks("WithKeeping was not given")
	}
	t.seed(r1, r2)
	t.must("WithKeeping", t.settings.keep(t.ctx, t.store.store))
}

// kept checks the result of a delete after which a token may still be stored.
func (t *trial) kept(err error) {
	_, findErr := t.store.FindTokenByID(t.ctx, "1")
	if err == nil && !errors.Is(findErr, tokenstore.ErrNotFound) {
		t.fails("the delete returned no error, but the token is still stored")
	}
}

// listWhileSaving lists tokens while all of them are rotated.
func listWhileSaving(t *trial) {
	rows := []token{r1, r2}
	for i := 4; i < 9; i++ {
		rows = append(rows, row(digit(i), "u"+digit(i), c1, s1))
	}
	t.seed(rows...)
	handles := t.handles()
	const savers, saves, lists = 4, 25, 400
	var saving atomic.Int64
	saving.Store(savers)
	together(savers+2, func(i int) {
		if i < savers {
			defer saving.Add(-1)
			for n := range saves {
				value := fmt.Sprint(i, "-", n)
				tok := token{ID: rows[(i+n)%len(rows)].ID, RefreshToken: secret("refresh-" + value), AccessToken: secret("access-" + value)}
				if _, err := handles[i%len(handles)].patient(t.ctx, tok); err != nil {
					t.fails("save: %s", safe(err))
				}
			}
			return
		}
		for n := 0; n < lists && saving.Load() > 0; n++ {
			t.listsEach(handles[(i+n)%len(handles)], rows)
		}
	})
	t.listsEach(t.store, rows)
}

// listsEach checks that a list has each of the rows, by its ID.
func (t *trial) listsEach(h *handle, rows []token) {
	tokens, err := h.GetTokens(t.ctx)
	if tokenstore.Retryable(err) {
		return
	}
	if err != nil {
		t.fails("list while others save: %s", safe(err))
		return
	}
	listed := map[string]int{}
	for _, l := range tokens {
		listed[l.ID]++
	}
	for _, r := range rows {
		if listed[r.ID] != 1 {
			t.fails("list while others save: the token %s, which was stored throughout, is listed %d times", show(r.ID, false), listed[r.ID])
		}
	}
}
