// The conditional save and its note: an optional ability, but with rules that a fleet of
// programs relies on to redeem a refresh token once.

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
)

const (
	ruleNoted       = "FindNoted finds what FindToken finds, with its note; the note shows in no token"
	ruleNotedWhole  = "FindNoted returns a token and its note as they were at one moment"
	ruleSwap        = "a swap sets the note and the fields that are set in next, as a save does, and keeps everything else"
	ruleSwapLost    = "a swap happens only if the grant, refresh and access token and the note are those of old; else nothing changes, and it returns the token as it is"
	ruleSwapContent = "a swap compares content: saves and edits of other fields, and saves that were undone, do not make it fail, and stay"
	ruleSwapNone    = "a swap never inserts: if no token has old's ID, the error matches ErrNotFound"
	ruleSwapOwner   = "a swap never sets or changes an ID or a user name"
	ruleNoteKept    = "every save keeps the note, whoever makes it; a delete drops it"
	ruleNoteText    = "a note is one line of printable text without a credential, and not too long; any other is refused with an error that matches ErrInvalidArgument, and nothing changes"
	ruleSwapOnce    = "of several swaps of the same old token, exactly one happens"
	ruleSwapEdit    = "a person's edit of the note, or of a key, makes a swap fail that has not seen it; an edit of another field does not"
	rulePing        = "Ping returns nil if the store can be read and holds something; if only that is missing, the error matches ErrNotFound"
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
	defer h.recovered(&err)
	s := h.trial.swapper(h)
	found, err = s.FindNoted(ctx, query)
	h.check(ctx, "find noted", found.OAuthToken, err)
	h.checkPrinted(found)
	return found, err
}

// SwapToken calls the store's, and checks what holds for every call.
func (h *handle) SwapToken(ctx context.Context, old noted, next token, note string) (now noted, swapped bool, err error) {
	defer h.recovered(&err)
	s := h.trial.swapper(h)
	now, swapped, err = s.SwapToken(ctx, old, next, note)
	h.check(ctx, "swap", now.OAuthToken, err)
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

// patientSwap repeats a swap that gave up because of others. Only a conflict says that it
// has not happened.
func (t *trial) patientSwap(h *handle, old noted, next token, note string) (now noted, swapped bool, err error) {
	const attempts = 200
	for range attempts {
		if now, swapped, err = h.SwapToken(t.ctx, old, next, note); !errors.Is(err, tokenstore.ErrConflict) {
			break
		}
	}
	return now, swapped, err
}

// swapCases test the optional ability to swap.
func swapCases() []Case {
	cases := []Case{
		{Name: "swap-note", Rule: ruleSwap, run: swapNote},
		{Name: "swap-fields", Rule: ruleSwap, run: swapFields},
		{Name: "swap-find", Rule: ruleNoted, run: swapFind},
		{Name: "swap-expiry", Rule: ruleExpiryDropped, run: func(t *trial) {
			t.seed(r1, r2)
			want := edited(r1, func(t *token) { t.AccessToken, t.Expiry = aNew, time.Time{} })
			t.swaps(t.noted(r1, ""), token{AccessToken: aNew}, "", want)
			t.holds(want, r2)
		}},
		{Name: "swap-other-fields", Rule: ruleSwapContent, run: func(t *trial) {
			t.seed(r1, r2)
			old := t.noted(r1, "")
			saved := t.save(token{ID: "1", APIDomain: "https://api.example/of-others", RedirectURL: "https://app.example/of-others", Expiry: at(9)})
			want := edited(saved, func(t *token) { t.AccessToken, t.Expiry = aNew, at(10) })
			t.swaps(old, token{AccessToken: aNew, Expiry: at(10)}, "n", want)
			t.holds(want, r2)
		}},
		{Name: "swap-undone", Rule: ruleSwapContent, run: func(t *trial) {
			t.seed(r1, r2)
			old := t.noted(r1, "")
			t.save(token{ID: "1", AccessToken: aNew, RefreshToken: rNew})
			t.save(r1)
			t.swaps(old, token{}, "n2", r1)
			t.noted(r1, "n2")
			t.holds(r1, r2)
		}},
		{Name: "swap-deleted", Rule: ruleSwapNone, run: swapDeleted},
		{Name: "swap-unknown", Rule: ruleSwapNone, run: func(t *trial) {
			t.seed(r1)
			_, _, err := t.store.SwapToken(t.ctx, noted{OAuthToken: r2}, r2, "n")
			t.matchesKind("swap a token that was never stored", err, tokenstore.ErrNotFound)
			t.holds(r1)
		}},
		{Name: "swap-owner", Rule: ruleSwapOwner, run: func(t *trial) {
			t.seed(r1, r3)
			next := token{ID: "9", UserName: "u9", AccessToken: aNew, Expiry: at(9)}
			want1 := edited(r1, func(t *token) { t.AccessToken, t.Expiry = aNew, at(9) })
			t.swaps(t.noted(r1, ""), next, "", want1)
			next.AccessToken = secret("access-new-3")
			want3 := edited(r3, func(t *token) { t.AccessToken, t.Expiry = next.AccessToken, at(9) })
			t.swaps(t.noted(r3, ""), next, "n", want3)
			t.holds(want1, want3)
			t.findsNone(token{UserName: "u9"})
		}},
		{Name: "swap-old-changed", Rule: ruleSwapLost, run: func(t *trial) {
			t.seed(r1, r2)
			n := t.noted(r1, "")
			n.AccessToken = aNew // It was not read so, whatever n.Read says.
			t.swapFails(n, r1, "")
			n = t.noted(r1, "")
			n.Note = "never set"
			t.swapFails(n, r1, "")
			n = t.noted(r1, "")
			n.APIDomain = "not compared"
			t.swaps(n, token{}, "n", r1)
		}},
		{Name: "handles-swap", Rule: ruleSwapContent, run: func(t *trial) {
			t.seed(r1, r2)
			other := t.second()
			old := t.noted(r1, "")
			// What one handle has read, another one swaps; and what was read before that is out of date.
			now, swapped, err := t.patientSwap(other, old, token{AccessToken: aNew}, "n")
			t.must("swap", err)
			if !swapped {
				t.fails("a swap of what another handle has read has not happened")
			}
			t.swapFails(old, now.OAuthToken, "n")
			if after, swapped, err := t.patientSwap(t.store, old, token{}, ""); err != nil || swapped || after.OAuthToken != now.OAuthToken {
				t.breaks(ruleSwapLost, "a swap that changes nothing, of what is out of date: swapped is %v, with %s", swapped, safe(err))
			}
			old.Read = nil
			t.swapFails(old, now.OAuthToken, "n")
			t.swaps(noted{OAuthToken: now.OAuthToken, Note: "n"}, token{}, "n2", now.OAuthToken)
		}},
		{Name: "swap-note-kept", Rule: ruleNoteKept, run: noteKept},
		{Name: "swap-note-kept-many", Rule: ruleNoteKept, run: func(t *trial) {
			many := t.manySaver()
			t.seed(r1, r2)
			t.swaps(t.noted(r1, ""), token{}, "n", r1)
			_, err := many.SaveTokens(t.ctx, []token{{UserName: "u1", AccessToken: aNew, Expiry: at(9)}, r2})
			t.must("save many", err)
			t.noted(edited(r1, func(t *token) { t.AccessToken, t.Expiry = aNew, at(9) }), "n")
			t.noted(r2, "")
		}},
		{Name: "swap-note-dropped", Rule: ruleNoteKept, run: func(t *trial) {
			t.seed(r1, r2)
			t.swaps(t.noted(r1, ""), token{}, "n", r1)
			t.must("delete", t.store.DeleteToken(t.ctx, "1"))
			t.save(r1)
			t.noted(r1, "")
			t.swaps(t.noted(r1, ""), token{}, "n", r1)
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			t.save(r1)
			t.noted(r1, "")
		}},
		{Name: "swap-key", Rule: ruleKeyMoves, run: func(t *trial) {
			t.seed(r1, r2)
			want := edited(r1, func(t *token) { t.RefreshToken, t.GrantToken = rNew, secret("grant-new") })
			t.swaps(t.noted(r1, ""), token{RefreshToken: rNew, GrantToken: want.GrantToken}, "", want)
			t.holds(want, r2)
			t.findsNone(tokenstore.QueryFor(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: r1.RefreshToken}))
			// A key of another token: two may hold it.
			want.RefreshToken = r2.RefreshToken
			t.swaps(t.noted(edited(want, func(t *token) { t.RefreshToken = rNew }), ""), token{RefreshToken: r2.RefreshToken}, "n", want)
			t.holds(want, r2)
		}},
		{Name: "swap-invalid", Rule: ruleNoteText, run: swapInvalid},
		{Name: "swap-cancelled", Rule: ruleContext, run: func(t *trial) {
			t.seed(r1)
			old := t.noted(r1, "")
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			_, _, err := t.store.SwapToken(ctx, old, token{AccessToken: aNew}, "n")
			t.matchesKind("swap with an ended context", err, context.Canceled)
			_, err = t.store.FindNoted(ctx, token{UserName: "u1"})
			t.matchesKind("find noted with an ended context", err, context.Canceled)
			t.noted(r1, "")
			t.holds(r1)
		}},
		{Name: "concurrent-swap", Rule: ruleSwapOnce, run: swapOnce},
		{Name: "concurrent-swap-chain", Rule: ruleSwapOnce, run: swapChain},
		{Name: "concurrent-swap-find", Rule: ruleNotedWhole, run: findWhileSwapping},
		{Name: "swap-note-edited", Rule: ruleSwapEdit, run: noteEdited},
		{Name: "swap-edited", Rule: ruleSwapEdit, run: swapEdited},
		{Name: "swap-damaged", Rule: ruleDamaged, run: func(t *trial) {
			a, b := t.two()
			old := t.noted(a, "")
			t.writes(a.ID, `{"note":"by hand"}`)
			_, _, err := t.store.SwapToken(t.ctx, old, token{AccessToken: aNew}, "n")
			t.matchesKind("swap a damaged token", err, tokenstore.ErrUnreadable)
			t.damaged(a, b)
		}},
		{Name: "ping", Rule: rulePing, run: ping},
	}
	// One thing differs.
	for _, d := range []struct {
		name   string
		change func(*token)
	}{
		{"grant", func(t *token) { t.GrantToken = secret("grant-new") }},
		{"refresh", func(t *token) { t.RefreshToken = rNew }},
		{"access", func(t *token) { t.AccessToken, t.Expiry = aNew, at(9) }},
	} {
		cases = append(cases, Case{Name: "swap-lost-" + d.name, Rule: ruleSwapLost, run: func(t *trial) {
			t.seed(r1, r2)
			old := t.noted(r1, "")
			saved := t.save(edited(r1, d.change))
			t.swapFails(old, saved, "")
			t.swapFails(noted{OAuthToken: r1}, saved, "")
			t.holds(saved, r2)
		}})
	}
	return append(cases, Case{Name: "swap-lost-note", Rule: ruleSwapLost, run: func(t *trial) {
		t.seed(r1, r2)
		old := t.noted(r1, "")
		first := t.swaps(old, token{}, "n1", r1)
		t.swapFails(old, r1, "n1")
		t.swaps(first, token{}, "n2", r1)
		now := t.swapFails(first, r1, "n2")
		t.swaps(now, token{}, "", r1)
		t.swapFails(now, r1, "")
		t.holds(r1, r2)
	}})
}

func swapNote(t *trial) {
	t.seed(r1, r2)
	now := t.noted(r1, "")
	for _, note := range []string{"claimed Zm9v 60 1", "another, with ünïcode \"quotes\" <&> and \\", strings.Repeat("x", tokenstore.MaxNote), "", "again", "again"} {
		now = t.swaps(now, token{}, note, r1)
		t.noted(r1, note)
	}
	t.holds(r1, r2)
	t.noted(r2, "")
}

func swapFields(t *trial) {
	t.seed(r1, r2)
	want := edited(r1, func(t *token) { t.AccessToken, t.Expiry, t.RefreshToken = aNew, at(9), rNew })
	now := t.swaps(t.noted(r1, ""), token{AccessToken: aNew, Expiry: at(9), RefreshToken: rNew}, "n", want)
	t.holds(want, r2)
	// What a swap returns can be swapped.
	want.ClientID, want.ClientSecret, want.APIDomain, want.RedirectURL = c3, s3, "https://api.example/new", "https://app.example/new"
	now = t.swaps(now, token{ClientID: c3, ClientSecret: s3, APIDomain: want.APIDomain, RedirectURL: want.RedirectURL}, "n", want)
	t.holds(want, r2)
	want.Expiry = at(10)
	t.swaps(now, token{Expiry: at(10)}, "", want)
	t.holds(want, r2)
}

func swapFind(t *trial) {
	t.seed(r1, r2)
	t.swaps(t.noted(r1, ""), token{}, "n", r1)
	for _, k := range tokenstore.KeysOf(r1) {
		n, err := t.store.FindNoted(t.ctx, tokenstore.QueryFor(k))
		t.must("find noted by its "+string(k.Kind), err)
		if n.OAuthToken != r1 || n.Note != "n" {
			t.fails("find noted by its %s: the note is %q, and %s", k.Kind, n.Note, difference(n.OAuthToken, r1))
		}
	}
	for _, query := range []token{{}, {UserName: "nobody"}, {ID: "unknown"}} {
		n, err := t.store.FindNoted(t.ctx, query)
		t.isNotFound("find noted", n.OAuthToken, err)
	}
	t.finds(token{UserName: "u1"}, r1)
	t.holds(r1, r2)
}

func swapDeleted(t *trial) {
	t.seed(r1, r2)
	old := t.swaps(t.noted(r1, ""), token{}, "n", r1)
	t.must("delete", t.store.DeleteToken(t.ctx, "1"))
	for _, n := range []noted{old, {OAuthToken: r1, Note: "n"}} {
		_, _, err := t.store.SwapToken(t.ctx, n, token{AccessToken: aNew}, "n2")
		t.matchesKind("swap a deleted token", err, tokenstore.ErrNotFound)
	}
	t.holds(r2)
	// The same ID again, with other content.
	again := edited(r1, func(t *token) { t.AccessToken = aNew })
	t.save(again)
	t.swapFails(old, again, "")
}

func noteKept(t *trial) {
	t.seed(r1, r2, r3)
	t.swaps(t.noted(r1, ""), token{}, "n1", r1)
	t.swaps(t.noted(r3, ""), token{}, "n3", r3)
	now := r1
	for i, change := range []func(*token){
		func(t *token) { t.AccessToken, t.Expiry = aNew, at(9) },
		func(t *token) { t.RefreshToken = rNew },
		func(t *token) { t.GrantToken = secret("grant-new") },
		func(t *token) { t.APIDomain, t.RedirectURL, t.ClientSecret = "d", "u", s3 },
		func(*token) {},
	} {
		change(&now)
		h := t.store
		if i%2 == 1 && t.settings.reopen != nil {
			h = t.second()
		}
		_, err := h.SaveToken(t.ctx, now)
		t.must("save", err)
		t.noted(now, "n1")
	}
	// An adoption.
	adopted := t.save(token{UserName: "u3", ClientID: c3, ClientSecret: s3, RefreshToken: r3.RefreshToken})
	t.noted(edited(r3, func(t *token) { t.UserName = "u3" }), "n3")
	t.holds(now, r2, adopted)
}

func swapInvalid(t *trial) {
	t.seed(r1)
	old := t.noted(r1, "")
	for what, note := range map[string]string{
		"two lines": "two\nlines", "a carriage return": "a\rb", "a line separator": "a\u2028b", "a zero byte": "a\x00b", "an escape": "\x1b[31m",
		"invalid UTF-8": "a\xffb", "too many bytes": strings.Repeat("x", tokenstore.MaxNote+1),
		"the refresh token": "claimed " + r1.RefreshToken, "the new access token": aNew, "the client secret": s1 + " n",
	} {
		_, _, err := t.store.SwapToken(t.ctx, old, token{AccessToken: aNew}, note)
		t.matchesKind("swap with a note of "+what, err, tokenstore.ErrInvalidArgument)
	}
	_, _, err := t.store.SwapToken(t.ctx, noted{OAuthToken: withoutID(r1)}, token{AccessToken: aNew}, "n")
	t.matchesKind("swap without an ID", err, tokenstore.ErrInvalidArgument)
	_, _, err = t.store.SwapToken(t.ctx, old, token{AccessToken: "a\xff"}, "n")
	t.matchesKind("swap to an invalid token", err, tokenstore.ErrInvalidToken)
	t.noted(r1, "")
	t.holds(r1)
}

// swapOnce has many callers swap the same old token.
func swapOnce(t *trial) {
	t.seed(r1, r2)
	handles := t.handles()
	for round := range 4 {
		want, err := t.store.FindToken(t.ctx, token{UserName: "u1"})
		t.must("find", err)
		old, err := t.store.FindNoted(t.ctx, token{UserName: "u1"})
		t.must("find noted", err)
		if round%2 == 1 {
			old.Read = nil
		}
		var mu sync.Mutex
		var winners []noted
		together(many/4, func(i int) {
			next := token{AccessToken: secret(fmt.Sprint("access-", round, "-", i)), RefreshToken: secret(fmt.Sprint("refresh-", round, "-", i)), Expiry: at(i)}
			now, swapped, err := t.patientSwap(handles[i%len(handles)], old, next, fmt.Sprint("by ", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.fails("swap: %s", safe(err))
			case swapped:
				winners = append(winners, now)
			case now.AccessToken == old.AccessToken:
				t.fails("a swap has not happened, although nothing had changed")
			}
		})
		if len(winners) != 1 {
			t.fails("%d swaps of one old token have happened", len(winners))
			return
		}
		if winners[0].UserName != want.UserName {
			t.breaks(ruleSwapOwner, "the user is %s", show(winners[0].UserName, false))
		}
		t.noted(winners[0].OAuthToken, winners[0].Note)
		t.holds(winners[0].OAuthToken, r2)
	}
}

// swapChain has many callers count in the note, while others save other fields.
func swapChain(t *trial) {
	t.seed(r1, r2)
	handles := t.handles()
	const counters, counts, savers = 6, 5, 4
	together(counters+savers, func(i int) {
		h := handles[i%len(handles)]
		if i >= counters {
			for n := range counts {
				tok := token{ID: "1", APIDomain: fmt.Sprint("d", n)}
				if i%2 == 0 {
					tok = token{ID: "1", RedirectURL: fmt.Sprint("u", n)}
				}
				if _, err := h.patient(t.ctx, tok); err != nil {
					t.fails("save: %s", safe(err))
				}
			}
			return
		}
		for range counts {
			t.countIn(h)
		}
	})
	want := edited(r1, func(t *token) { t.APIDomain, t.RedirectURL = fmt.Sprint("d", counts-1), fmt.Sprint("u", counts-1) })
	t.noted(want, strconv.Itoa(counters*counts))
	t.holds(want, r2)
}

// countIn adds one to the number in the note.
func (t *trial) countIn(h *handle) {
	const attempts = 1000
	old, err := h.FindNoted(t.ctx, token{UserName: "u1"})
	for n := 0; err == nil && n < attempts; n++ {
		count, _ := strconv.Atoi(old.Note) // An empty note is zero.
		now, swapped, fault := t.patientSwap(h, old, token{}, strconv.Itoa(count+1))
		if old, err = now, fault; swapped {
			return
		}
	}
	t.fails("count in the note: %s", safe(err))
}

// findWhileSwapping swaps the access token and the note together, and finds them.
func findWhileSwapping(t *trial) {
	t.seed(r1, r2)
	handles := t.handles()
	const swaps, finders, finds = 40, 4, 2000
	var done atomic.Bool
	together(1+finders, func(i int) {
		if i == 0 {
			defer done.Store(true)
			old, err := t.store.FindNoted(t.ctx, token{UserName: "u1"})
			for n := 0; n < swaps && err == nil; n++ {
				swapped := true
				if old, swapped, err = t.patientSwap(t.store, old, token{AccessToken: secret(fmt.Sprint("access-", n))}, fmt.Sprint("access-", n)); !swapped && err == nil {
					t.fails("a swap has not happened, although nobody else writes")
					return
				}
			}
			if err != nil {
				t.fails("swap: %s", safe(err))
			}
			return
		}
		for n := 0; n < finds && !done.Load(); n++ {
			found, err := handles[(i+n)%len(handles)].FindNoted(t.ctx, token{UserName: "u1"})
			switch {
			case tokenstore.Retryable(err):
			case err != nil:
				t.fails("find noted while others swap: %s", safe(err))
			case found.OAuthToken != r1 && found.AccessToken != secret(found.Note):
				t.fails("find noted while others swap: the note is that of another access token")
			}
			runtime.Gosched()
		}
	})
}

func noteEdited(t *trial) {
	a, b := t.two()
	old := t.swaps(t.noted(a, ""), token{}, "n1", a)
	t.edits(a.ID, "note", "by hand")
	t.swapFails(old, a, "by hand")
	want := edited(a, func(t *token) { t.RefreshToken = rNew })
	t.swaps(t.noted(a, "by hand"), token{RefreshToken: rNew}, "n2", want)
	t.has(want, b)
	t.edits(a.ID, "note", "")
	t.noted(want, "")
	t.swaps(noted{OAuthToken: want}, token{}, "n3", want)
	t.has(want, b)
}

func swapEdited(t *trial) {
	a, b := t.two()
	old := t.swaps(t.noted(a, ""), token{}, "n", a)
	t.edits(a.ID, "api_domain", "https://api.example/by-hand")
	now := edited(a, func(t *token) { t.APIDomain = "https://api.example/by-hand" })
	old = t.swaps(old, token{}, "n2", now)
	t.edits(a.ID, "refresh_token", rNew)
	now.RefreshToken = rNew
	t.swapFails(old, now, "n2")
	// The swap of an edited row claims all its keys, as a save does.
	t.swaps(noted{OAuthToken: now, Note: "n2"}, token{}, "n3", now)
	t.has(now, b)
}

func ping(t *trial) {
	p, ok := tokenstore.As[tokenstore.Pinger](t.store.store)
	if !ok {
		t.lacks("the store has no Ping")
	}
	if err := p.Ping(t.ctx); err != nil {
		t.store.checkErr(t.ctx, "ping", err)
		t.matchesKind("ping a new store", err, tokenstore.ErrNotFound)
	}
	t.seed(r1)
	t.must("ping", p.Ping(t.ctx))
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	t.matchesKind("ping with an ended context", p.Ping(ctx), context.Canceled)
	t.holds(r1)
}
