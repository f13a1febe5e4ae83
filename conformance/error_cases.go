// Cases of errors and of formatted tokens, which must tell faults apart and never show a
// credential.

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/tokenstore"
)

// errorCases test errors and formatted tokens.
func errorCases() []Case {
	return []Case{
		{Name: "print", Rule: ruleNoCredential, run: printed},
		{Name: "errors-kinds", Rule: ruleKinds, run: errorKinds},
	}
}

// printed formats the tokens that a store has returned, in every way.
func printed(t *trial) {
	t.seed(r1, r2, r3)
	found, err := t.store.FindToken(t.ctx, token{UserName: "u1"})
	t.must("find", err)
	var b bytes.Buffer
	tokens := t.list()
	for _, v := range []any{found, &found, tokens, map[string]token{"a": found}, struct{ T token }{found}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		t.must("marshal", err)
		b.Write(text)
		slog.New(slog.NewTextHandler(&b, nil)).Info("token", "value", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("token", "value", v)
	}
	hex := fmt.Sprintf("%x", mark)
	if strings.Contains(b.String(), mark) || strings.Contains(b.String(), hex) {
		t.add(Finding{Rule: ruleNoCredential, Detail: "a formatted token shows a credential", hard: true})
	}
}

// errorKinds checks the kinds of the errors that need no fault of the backend.
func errorKinds(t *trial) {
	t.seed(r1)
	_, notFound := t.store.FindToken(t.ctx, token{RefreshToken: secret("refresh-none"), AccessToken: aNew, ClientID: c1, ClientSecret: s1})
	_, noID := t.store.FindTokenByID(t.ctx, "nothing")
	_, invalid := t.store.SaveToken(t.ctx, token{UserName: "u9", ClientID: c1, ClientSecret: s1})
	_, argument := t.store.FindTokenByID(t.ctx, "")
	for _, c := range []struct {
		doing string
		err   error
		kind  error
	}{
		{"find", notFound, tokenstore.ErrNotFound},
		{"find by ID", noID, tokenstore.ErrNotFound},
		{"save", invalid, tokenstore.ErrInvalidToken},
		{"find by an empty ID", argument, tokenstore.ErrInvalidArgument},
		{"delete an empty ID", t.store.DeleteToken(t.ctx, ""), tokenstore.ErrInvalidArgument},
	} {
		if got := tokenstore.Kind(c.err); got != c.kind { //nolint:errorlint // The sentinel itself, not what wraps it.
			t.fails("%s: the error's kind is %v instead of %v", c.doing, got, c.kind)
		}
		if tokenstore.Retryable(c.err) {
			t.breaks(ruleRetryable, "%s: the error is retryable", c.doing)
		}
	}
}

// isContextError reports whether err is the error with which ctx has ended.
func isContextError(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// contextCases call every method with an ended context.
func contextCases() []Case {
	cases := []Case{{Name: "context-cancelled-midway", Rule: ruleCancelled, run: cancelledMidway}}
	for _, c := range contextCalls() {
		for _, end := range []struct {
			name string
			ctx  func(context.Context) (context.Context, context.CancelFunc)
		}{
			{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx, cancel
			}},
			{"expired", func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithDeadline(ctx, time.Unix(1, 0))
			}},
		} {
			cases = append(cases, Case{Name: "context-" + end.name + "-" + c.name, Rule: ruleContext, run: func(t *trial) {
				t.seed(r1, r2, r3)
				ctx, cancel := end.ctx(t.ctx)
				defer cancel()
				if err := c.call(ctx, t.store); !isContextError(ctx, err) {
					t.fails("%s: %s, instead of the context's error", c.name, safe(err))
				} else if tokenstore.Retryable(err) {
					t.breaks(ruleRetryable, "%s: the error of the caller's own context is retryable", c.name)
				}
				t.holds(r1, r2, r3)
			}})
		}
	}
	return cases
}

type contextCall struct {
	name string
	call func(context.Context, *handle) error
}

func contextCalls() []contextCall {
	find := func(query token) func(context.Context, *handle) error {
		return func(ctx context.Context, h *handle) error {
			_, err := h.FindToken(ctx, query)
			return err
		}
	}
	save := func(t token) func(context.Context, *handle) error {
		return func(ctx context.Context, h *handle) error {
			_, err := h.SaveToken(ctx, t)
			return err
		}
	}
	return []contextCall{
		{"find", find(token{UserName: "u1"})},
		{"find-missing", find(token{UserName: "nobody"})},
		{"find-access", find(token{AccessToken: r1.AccessToken})},
		{"find-by-id", func(ctx context.Context, h *handle) error {
			_, err := h.FindTokenByID(ctx, "1")
			return err
		}},
		{"update", save(token{UserName: "u1", AccessToken: aNew})},
		{"insert", save(token{UserName: "u9", RefreshToken: rNew, ClientID: c1, ClientSecret: s1})},
		{"unchanged", save(r1)},
		{"delete", func(ctx context.Context, h *handle) error { return h.DeleteToken(ctx, "1") }},
		{"list", func(ctx context.Context, h *handle) error {
			_, err := h.GetTokens(ctx)
			return err
		}},
		{"delete-all", func(ctx context.Context, h *handle) error { return h.DeleteTokens(ctx) }},
	}
}
