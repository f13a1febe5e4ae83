// A person's changes to tokens' secrets, other than editing one field: contents that no
// store would write.

package enginetest

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// copiedID is the ID in the name of a secret that a person copies.
const copiedID = "copied"

// write replaces the content of a token's secret, or creates the secret.
func (w *modelWorld) write(rt *rapid.T, id string, data []byte) {
	w.wait(rt)
	err := w.overwriteSecret(w.ctx, id, data)
	if errors.Is(err, errors.ErrUnsupported) {
		rt.Skip() // The service does not accept such data.
	}
	if err != nil {
		rt.Fatalf("overwrite: %v", err)
	}
	w.wait(rt)
}

// content returns the content of a token's secret.
func (w *modelWorld) content(rt *rapid.T, r *modelRow) []byte {
	w.wait(rt)
	secrets, err := w.handle()
	if err != nil {
		rt.Fatal(err)
	}
	secret, err := secrets.Get(w.ctx, w.service.Prefix+"tokens/"+secretID(r.token.ID))
	if err != nil {
		rt.Fatalf("the secret of %s: %v", describeToken(r.token), err)
	}
	return secret.Data
}

// overwrite writes a token's fields, or only one of them, without its ID, which the name
// has. A secret is damaged if its name is derived from a key that is missing now.
func (w *modelWorld) overwrite(rt *rapid.T) {
	r := w.rowThat(rt, "row", func(r *modelRow) bool { return !r.unlisted })
	draw := func(from []string) string { return rapid.SampledFrom(from).Draw(rt, "text") }
	token := r.token
	token.ID = ""
	switch rapid.SampledFrom([]string{"all", "all but one", "one"}).Draw(rt, "fields") {
	case "all but one":
		token.RefreshToken = draw(modelRefresh)
	case "one":
		token = tokenstore.OAuthToken{}
		switch rapid.IntRange(0, 3).Draw(rt, "field") {
		case 0:
			token.UserName = draw(modelUsers)
		case 1:
			token.RefreshToken = draw(modelRefresh)
		case 2:
			token.AccessToken = draw(modelAccess)
		case 3:
			token.APIDomain = draw(modelDomains)
		}
	}
	damaged := token == (tokenstore.OAuthToken{})
	if !damaged && !w.rows.derivedFrom(slices.Collect(keysOf(token)), r) && !strings.HasPrefix(r.token.ID, randomMark) && !slices.Contains(modelIDs, r.token.ID) && r.token.ID != copiedID {
		if !w.rows.derivedFrom(slices.Collect(maps.Keys(w.rows.sure(r))), r) {
			rt.Skip() // Whether the index knows that the name is derived depends on earlier releases.
		}
		damaged = true
	}
	data, err := tokenstore.EncodeToken(token)
	if err != nil {
		rt.Fatal(err)
	}
	w.write(rt, r.token.ID, data)
	if damaged {
		w.rows.damage(r, token, 0, "")
		return
	}
	w.rows.rewrite(r, token, 0, "")
	r.overwritten = true
}

func keysOf(token tokenstore.OAuthToken) func(func(tokenstore.Key) bool) {
	return slices.Values(tokenstore.KeysOf(token))
}

// derivedFrom reports whether the ID of a row is derived from one of the keys.
func (m *modelRows) derivedFrom(keys []tokenstore.Key, r *modelRow) bool {
	return slices.ContainsFunc(keys, func(k tokenstore.Key) bool { return index.Hash(k, m.pepper) == r.token.ID })
}

// scribble writes data that is not a JSON object.
func (w *modelWorld) scribble(rt *rapid.T) {
	if w.service.Edit == nil {
		rt.Skip() // A driver accepts only JSON objects.
	}
	r := w.rowThat(rt, "row", func(r *modelRow) bool { return !r.unlisted })
	w.write(rt, r.token.ID, []byte(rapid.SampledFrom([]string{"a fake text", `["fake"]`, `{"refresh_token":"fake",}`}).Draw(rt, "text")))
	w.rows.damage(r, tokenstore.OAuthToken{}, 0, "")
}

// copyContent writes the content of one token's secret under the name of another one, or
// under a new name. The id in the content then does not match the name.
func (w *modelWorld) copyContent(rt *rapid.T) {
	from := w.rowThat(rt, "from", func(r *modelRow) bool { return r.clean })
	if rapid.IntRange(0, 3).Draw(rt, "to a new name") == 0 {
		secrets, err := w.handle()
		if err != nil {
			rt.Fatal(err)
		}
		w.wait(rt)
		if _, err := secrets.Get(w.ctx, w.service.Prefix+"tokens/"+copiedID); err == nil || w.rows.byID(copiedID) != nil {
			rt.Skip()
		}
		w.write(rt, copiedID, w.content(rt, from))
		r := &modelRow{token: tokenstore.OAuthToken{ID: copiedID}, unlisted: true}
		w.rows.rows = append(w.rows.rows, r)
		w.rows.damage(r, from.token, from.created, from.note)
		return
	}
	to := w.rowThat(rt, "to", func(r *modelRow) bool { return r != from && !r.unlisted })
	w.write(rt, to.token.ID, w.content(rt, from))
	w.rows.damage(to, from.token, from.created, from.note)
}

// exchange exchanges the contents of two tokens' secrets.
func (w *modelWorld) exchange(rt *rapid.T) {
	a := w.rowThat(rt, "one", func(r *modelRow) bool { return r.clean && !r.unlisted })
	b := w.rowThat(rt, "other", func(r *modelRow) bool { return r.clean && !r.unlisted && r != a })
	ofA, ofB := w.content(rt, a), w.content(rt, b)
	w.write(rt, a.token.ID, ofB)
	w.write(rt, b.token.ID, ofA)
	was := *a
	w.rows.damage(a, b.token, b.created, b.note)
	w.rows.damage(b, was.token, was.created, was.note)
}

// keep remembers the content of a token's secret.
func (w *modelWorld) keep(rt *rapid.T) {
	if w.service.PutBack == nil {
		rt.Skip()
	}
	r := w.rowThat(rt, "row", func(r *modelRow) bool { return r.clean })
	w.kept[r.token.ID] = version{w.content(rt, r), r.token, r.created, r.note}
}

// putBack has the service put back an earlier content of a token's secret: over later
// content, over damage, or after the token was deleted.
func (w *modelWorld) putBack(rt *rapid.T) {
	if len(w.kept) == 0 {
		rt.Skip()
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.kept))).Draw(rt, "version")
	before := w.kept[id]
	if w.rows.foreign[id] {
		rt.Skip()
	}
	w.wait(rt)
	secrets, err := w.handle()
	if err == nil {
		err = w.service.PutBack(w.ctx, secrets, driver.Secret{Name: w.service.Prefix + "tokens/" + secretID(id), Data: before.data})
	}
	if err != nil {
		rt.Fatalf("put back: %v", err)
	}
	w.wait(rt)
	r := w.rows.byID(id)
	if r == nil {
		r = &modelRow{token: tokenstore.OAuthToken{ID: id}, unlisted: true}
		w.rows.rows = append(w.rows.rows, r)
	}
	w.rows.rewrite(r, before.token, before.created, before.note)
	r.unmarked, r.overwritten, r.restored = false, false, true
}
