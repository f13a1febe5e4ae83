// The random swaps of Model: of what was read just now, of what some client has read some
// time ago, and of what nobody has read.

package enginetest

import (
	"errors"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"example.com/tokenstore"
)

var modelNotes = []string{"", "claim 1", "claim 2", "fake note"}

// findNoted compares a find of a token with its note with the model.
func (w *modelWorld) findNoted(rt *rapid.T) {
	id := w.id(rt, "wanted")
	got, err := w.client(rt).FindNoted(w.ctx, tokenstore.OAuthToken{ID: id})
	r := w.rows.byID(id)
	switch {
	case r == nil:
		if !errors.Is(err, tokenstore.ErrNotFound) {
			rt.Fatalf("find noted by the ID %q returned %s, %v", id, describeToken(got.OAuthToken), err)
		}
		return
	case r.damaged:
		if !errors.Is(err, tokenstore.ErrUnreadable) {
			rt.Fatalf("find noted by the ID %q of a damaged token returned %s, %v", id, describeToken(got.OAuthToken), err)
		}
		return
	case err != nil || got.OAuthToken != r.token || got.Note != r.note:
		rt.Fatalf("find noted by the ID %q returned %s, %q, %v\nwant %s, %q", id, describeToken(got.OAuthToken), got.Note, err, describeToken(r.token), r.note)
	}
	w.read[id] = got
}

// old draws the old token of a swap of the one with an ID.
func (w *modelWorld) old(rt *rapid.T, id string) tokenstore.Noted {
	old := tokenstore.Noted{OAuthToken: tokenstore.OAuthToken{ID: id}}
	if r := w.rows.byID(id); r != nil {
		old = tokenstore.Noted{OAuthToken: r.token, Note: r.note}
	}
	read, ok := w.read[id]
	if how := rapid.SampledFrom([]string{"read", "read", "known", "other"}).Draw(rt, "old"); how == "read" && ok {
		return read
	} else if how != "other" {
		return old
	}
	if ok && rapid.Bool().Draw(rt, "read") {
		old = read // The caller has changed it since.
	}
	pick := func(from []string) string { return rapid.SampledFrom(from).Draw(rt, "other") }
	switch rapid.IntRange(0, 4).Draw(rt, "difference") {
	case 0:
		old.RefreshToken = pick(modelRefresh)
	case 1:
		old.GrantToken = pick(modelGrants)
	case 2:
		old.AccessToken = pick(modelAccess)
	case 3:
		old.Note = pick(modelNotes)
	case 4:
		old.APIDomain, old.UserName = "not compared", pick(modelUsers)
	}
	return old
}

// swapToken compares a swap with the model.
func (w *modelWorld) swapToken(rt *rapid.T) {
	ids := slices.Sorted(maps.Keys(w.read))
	if len(ids) == 0 || rapid.IntRange(0, 2).Draw(rt, "anything") == 0 {
		ids = []string{w.id(rt, "swapped")}
	}
	id := rapid.SampledFrom(ids).Draw(rt, "swapped")
	old, next, note := w.old(rt, id), w.token(rt, "next"), rapid.SampledFrom(modelNotes).Draw(rt, "note")
	got, swapped, err := w.client(rt).SwapToken(w.ctx, old, next, note)
	r := w.rows.byID(id)
	if r == nil || r.damaged {
		want := tokenstore.ErrNotFound
		if r != nil {
			want = tokenstore.ErrUnreadable
		}
		if !errors.Is(err, want) {
			rt.Fatalf("swap %s\nreturned %s, %v, %v, want an error that matches %q", describeToken(old.OAuthToken), describeToken(got.OAuthToken), swapped, err, want)
		}
		return
	}
	want, applies := tokenstore.Swap(tokenstore.Noted{OAuthToken: r.token, Note: r.note}, old, next, note)
	if err != nil || swapped != applies || got.OAuthToken != want.OAuthToken || got.Note != want.Note {
		rt.Fatalf("swap %s, %q to %s, %q\nreturned %s, %q, %v, %v\nwant %s, %q, %v", describeToken(old.OAuthToken), old.Note, describeToken(next), note,
			describeToken(got.OAuthToken), got.Note, swapped, err, describeToken(want.OAuthToken), want.Note, applies)
	}
	if applies {
		r.swapped(want)
	}
	w.read[id] = got
}
