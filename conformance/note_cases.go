// What keeps a note and what drops it, what may be one, and what a person makes of it.

package conformance

import (
	"strings"

	"example.com/tokenstore"
)

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
