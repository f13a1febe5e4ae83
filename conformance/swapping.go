// The calls and checks that cases of swaps are made of.

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"example.com/tokenstore"
)

// noted is an abbreviation.
type noted = tokenstore.Noted

// swapper returns a handle's ability to swap, or ends the case.
func (t *trial) swapper(h *handle) tokenstore.Swapper {
	s, ok := tokenstore.As[tokenstore.Swapper](h.store)
	if !ok {
		t.lacks("the store has no SwapToken")
	}
	return s
}

// FindNoted calls the store's, and checks what holds for every call.
func (h *handle) FindNoted(ctx context.Context, query token) (found noted, err error) {
	s := h.trial.swapper(h)
	err = h.again(func() (err error) {
		defer h.recovered(&err)
		found, err = s.FindNoted(ctx, query)
		h.check(ctx, "find noted", found.OAuthToken, err)
		return err
	})
	h.checkPrinted(found)
	return found, err
}

// SwapToken calls the store's, and checks what holds for every call.
func (h *handle) SwapToken(ctx context.Context, old noted, next token, note string) (now noted, swapped bool, err error) {
	s := h.trial.swapper(h)
	err = repeated(func() (err error) {
		defer h.recovered(&err)
		now, swapped, err = s.SwapToken(ctx, old, next, note)
		h.check(ctx, "swap", now.OAuthToken, err)
		return err
	}, throttled)
	h.checkPrinted(now)
	switch {
	case err != nil && swapped:
		h.trial.fails("swap: it happened, but there is an error: %s", safe(err))
	case err == nil && now.ID != old.ID:
		h.trial.breaks(ruleSwapOwner, "swap: the ID is %s instead of %s", show(now.ID, false), show(old.ID, false))
	case swapped && now.Note != note:
		h.trial.breaks(ruleSwap, "swap: the note is %q instead of %q", now.Note, note)
	}
	return now, swapped, err
}

// checkPrinted checks that nothing that prints a noted token shows a credential, neither of
// the token nor of what the store remembers of its read.
func (h *handle) checkPrinted(n noted) {
	var b strings.Builder
	for _, v := range []any{n, &n, n.Read} {
		_, _ = fmt.Fprintf(&b, "%v %+v %#v %s", v, v, v, v)
		data, _ := json.Marshal(v) // An error shows nothing.
		_, _ = b.Write(data)
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("", "v", v)
	}
	if strings.Contains(b.String(), mark) {
		h.trial.add(Finding{Rule: ruleNoCredential, Detail: "a printed noted token shows a credential", hard: true})
	}
}

// noted returns the token of r's user or, without one, of its ID, with its note; it must be
// r.
func (t *trial) noted(r token, note string) noted {
	query := token{ID: r.ID}
	if r.UserName != "" {
		query = token{UserName: r.UserName}
	}
	n, err := t.store.FindNoted(t.ctx, query)
	t.must("find noted", err)
	if n.OAuthToken != r {
		t.fails("find noted: %s", difference(n.OAuthToken, r))
	}
	if n.Note != note {
		t.fails("find noted: the note is %q instead of %q", n.Note, note)
	}
	return n
}

// swaps swaps, which must happen and leave want.
func (t *trial) swaps(old noted, next token, note string, want token) noted {
	now, swapped, err := t.patientSwap(t.store, old, next, note)
	t.must("swap", err)
	switch {
	case !swapped:
		t.fails("the swap has not happened")
		giveUp()
	case now.OAuthToken != want:
		t.fails("swap: %s", difference(now.OAuthToken, want))
	}
	return now
}

// swapFails swaps, which must not happen; the token must be want, with the note.
func (t *trial) swapFails(old noted, want token, note string) noted {
	now, swapped, err := t.patientSwap(t.store, old, token{AccessToken: secret("access-of-loser"), APIDomain: "lost"}, "of the loser")
	t.must("swap", err)
	switch {
	case swapped:
		t.fails("the swap has happened, although the token had changed")
	case now.OAuthToken != want || now.Note != note:
		t.fails("a swap that did not happen returns the note %q instead of %q, and %s", now.Note, note, difference(now.OAuthToken, want))
	}
	t.noted(want, note)
	return now
}

// patientSwap repeats a swap that gave up because of others, which says that it has not
// happened. A swap that was unavailable may have.
func (t *trial) patientSwap(h *handle, old noted, next token, note string) (now noted, swapped bool, err error) {
	err = repeated(func() (err error) {
		now, swapped, err = h.SwapToken(t.ctx, old, next, note)
		return err
	}, func(err error) bool { return errors.Is(err, tokenstore.ErrConflict) })
	return now, swapped, err
}

// patientNoted repeats a find that gave up.
func (t *trial) patientNoted(h *handle, query token) (found noted, err error) {
	err = repeated(func() (err error) {
		found, err = h.FindNoted(t.ctx, query)
		return err
	}, h.gaveUp)
	return found, err
}
