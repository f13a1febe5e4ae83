// The conditional save and its note: an optional ability, but with rules that a fleet of
// programs relies on to redeem a refresh token once.

package conformance

import (
	"context"
	"strings"
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
)

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
			// The access token is the stored one: its expiry stays.
			t.swaps(t.noted(want, ""), token{Expiry: at(9)}, "", edited(want, func(t *token) { t.Expiry = at(9) }))
			want.Expiry = at(9)
			t.swaps(t.noted(want, ""), token{AccessToken: aNew, APIDomain: want.APIDomain}, "", want)
			t.holds(want, r2)
		}},
		{Name: "swap-lacking", Rule: ruleSwapLost, run: func(t *trial) {
			t.seed(r1, r2)
			for _, old := range []token{
				{ID: "1"}, edited(r1, func(t *token) { t.GrantToken = "" }),
				edited(r1, func(t *token) { t.RefreshToken = "" }), edited(r1, func(t *token) { t.AccessToken = "" }),
			} {
				t.swapFails(noted{OAuthToken: old}, r1, "")
			}
			t.holds(r1, r2)
		}},
		{Name: "swap-moved", Rule: ruleSwapNone, run: func(t *trial) {
			t.seed(r1, r2)
			old := t.noted(r1, "")
			t.must("delete", t.store.DeleteToken(t.ctx, "1"))
			moved := edited(r1, func(t *token) { t.ID = "9" })
			t.seed(moved)
			for _, old := range []noted{old, {OAuthToken: r1}} {
				_, _, err := t.store.SwapToken(t.ctx, old, token{AccessToken: aNew}, "n")
				t.matchesKind("swap a token whose content is now another's", err, tokenstore.ErrNotFound)
			}
			t.noted(moved, "")
			t.holds(r2, moved)
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
			t.seed(r1, r2, r3)
			t.swaps(t.noted(r1, ""), token{}, "n", r1)
			t.must("delete", t.store.DeleteToken(t.ctx, "3"))
			t.noted(r1, "n") // It was not this one.
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
	if n := t.swapper(t.store).WritesPerDay(); n < 0 {
		t.fails("a token can be written %d times a day", n)
	}
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
	for _, query := range findQueries() {
		want, wantErr := t.store.FindToken(t.ctx, query)
		n, err := t.store.FindNoted(t.ctx, query)
		if wantErr != nil {
			t.isNotFound("find noted what FindToken does not find", n.OAuthToken, err)
		} else {
			t.found("find noted what FindToken finds", want)(n.OAuthToken, err)
		}
	}
	t.finds(token{UserName: "u1"}, r1)
	t.holds(r1, r2)
}

// findQueries are queries of r1, r2 and r3 by which other ways to find show the rules of
// FindToken.
func findQueries() []token {
	client := func(change func(*token)) token { return edited(token{ClientID: zz, ClientSecret: zs}, change) }
	return []token{
		{UserName: "nobody", AccessToken: r1.AccessToken},
		client(func(t *token) { t.UserName, t.RefreshToken = "nobody", r1.RefreshToken }),
		{ID: "unknown", UserName: "u2"}, {ID: "2", UserName: "u1"}, {AccessToken: r2.AccessToken},
		{AccessToken: r2.AccessToken, ClientID: c1}, {RefreshToken: r1.RefreshToken}, {GrantToken: r1.GrantToken, ClientID: c1},
		client(func(t *token) { t.RefreshToken = r1.RefreshToken }),
		client(func(t *token) { t.GrantToken, t.RefreshToken = r2.GrantToken, r1.RefreshToken }),
		client(func(t *token) { t.GrantToken, t.RefreshToken = "unknown", r1.RefreshToken }),
		client(func(t *token) { t.AccessToken = r1.AccessToken }), client(func(*token) {}), {},
	}
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
