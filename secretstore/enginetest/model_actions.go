// The random operations of Model.

package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
)

// The values of the random tokens. There are so few that tokens often share some.
var (
	modelUsers   = []string{"", "", "u1", "u2", "u3"}
	modelRefresh = []string{"", "r1", "r2", "r3", "r4"}
	modelGrants  = []string{"", "", "", "g1", "g2", "g3"}
	modelAccess  = []string{"", "a1", "a2", "a3", "a4"}
	modelClient  = []string{"", client, client}
	modelIDs     = []string{"x", "y / ü", foreignID, "unknown"}
	modelDomains = []string{"", "", "https://api.example", "https://other.example"}
)

const (
	foreignID = "theirs"
	noteField = "note" // which only swaps and people set

	bookkeepingFields = 3 // in a live token's secret
)

// actions returns the possible next steps. Some are there twice, to be drawn more often.
func (w *modelWorld) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"find": w.findAny, "find again": w.findAny, "find by key": w.findKey, "find by id": w.findID,
		"save": w.saveAny, "save again": w.saveAny, "save more": w.saveAny, "save tokens": w.saveMany,
		"find noted": w.findNoted, "swap token": w.swapToken, "swap token again": w.swapToken,
		"list":   func(rt *rapid.T) { w.list(rt, w.client(rt)) },
		"delete": w.deleteOne, "delete tokens": w.deleteAll,
		"restart": w.startAgain,
		"reindex": w.reindex, "lose index": w.lose, "die": w.die, "edit": w.edit, "edit again": w.edit, "plant": w.plant,
		"overwrite": w.overwrite, "overwrite again": w.overwrite, "scribble": w.scribble, "copy": w.copyContent, "swap": w.exchange, "keep": w.keep, "put back": w.putBack,
	}
}

// startAgain restarts a client. It sees its own earlier writes as another client does.
func (w *modelWorld) startAgain(rt *rapid.T) {
	i := rapid.IntRange(0, modelClients-1).Draw(rt, "client")
	w.restart(rt, i)
	if i == w.last {
		w.last = -1
	}
}

// token draws a token: a query, part of a token or a complete one.
func (w *modelWorld) token(rt *rapid.T, label string) tokenstore.OAuthToken {
	pick := func(from []string, what string) string { return rapid.SampledFrom(from).Draw(rt, label+" "+what) }
	t := tokenstore.OAuthToken{
		UserName: pick(modelUsers, "user"), RefreshToken: pick(modelRefresh, "refresh"), GrantToken: pick(modelGrants, "grant"),
		AccessToken: pick(modelAccess, "access"), ClientID: pick(modelClient, "client"), APIDomain: pick(modelDomains, "domain"),
	}
	t.ClientSecret = t.ClientID
	if rapid.IntRange(0, 4).Draw(rt, label+" expires") == 0 {
		t.Expiry = time.Unix(2_000_000_000, 0).UTC()
	}
	if rapid.IntRange(0, 4).Draw(rt, label+" has an id") == 0 {
		t.ID = w.id(rt, label)
	}
	return t
}

// id draws the ID of a stored token, or another.
func (w *modelWorld) id(rt *rapid.T, label string) string {
	ids := append([]string(nil), modelIDs...)
	for _, r := range w.rows.rows {
		if !r.stray {
			ids = append(ids, r.token.ID)
		}
	}
	return rapid.SampledFrom(ids).Draw(rt, label+" id")
}

func (w *modelWorld) findAny(rt *rapid.T) { w.compareFind(rt, w.client(rt), w.token(rt, "query")) }

// findKey looks for a stored token by one of its keys.
func (w *modelWorld) findKey(rt *rapid.T) {
	keys := tokenstore.KeysOf(w.row(rt).token)
	if len(keys) == 0 {
		rt.Skip()
	}
	w.compareFind(rt, w.client(rt), tokenstore.QueryFor(rapid.SampledFrom(keys).Draw(rt, "key")))
}

// row draws a stored token.
func (w *modelWorld) row(rt *rapid.T) *modelRow {
	return w.rowThat(rt, "row", func(r *modelRow) bool { return !r.damaged })
}

// rowThat draws a row that satisfies a condition.
func (w *modelWorld) rowThat(rt *rapid.T, label string, so func(*modelRow) bool) *modelRow {
	rows := slices.DeleteFunc(slices.Clone(w.rows.rows), func(r *modelRow) bool { return r.stray || !so(r) })
	if len(rows) == 0 {
		rt.Skip()
	}
	return rows[rapid.IntRange(0, len(rows)-1).Draw(rt, label)]
}

func (w *modelWorld) findID(rt *rapid.T) {
	id := w.id(rt, "wanted")
	got, err := w.client(rt).FindTokenByID(w.ctx, id)
	var wrong bool
	switch r := w.rows.byID(id); {
	case r == nil:
		wrong = !errors.Is(err, tokenstore.ErrNotFound)
	case r.damaged:
		wrong = !errors.Is(err, tokenstore.ErrUnreadable)
	default:
		wrong = err != nil || got != r.token
	}
	if wrong {
		rt.Fatalf("find by the ID %q returned %s, %v", id, describeToken(got), err)
	}
}

func (w *modelWorld) saveAny(rt *rapid.T) {
	token := w.token(rt, "token")
	got, err := w.client(rt).SaveToken(w.ctx, token)
	if err := w.rows.save(token, got, err); err != nil {
		rt.Fatal(err)
	}
}

// saveMany saves several tokens in one call. Its errors are joined, and its result is
// empty where a token was not saved.
func (w *modelWorld) saveMany(rt *rapid.T) {
	tokens := make([]tokenstore.OAuthToken, rapid.IntRange(1, 5).Draw(rt, "tokens"))
	for i := range tokens {
		tokens[i] = w.token(rt, fmt.Sprint("token ", i))
	}
	stored, err := w.client(rt).SaveTokens(w.ctx, tokens)
	faults := 0
	for i, token := range tokens {
		var one error
		if stored[i] == (tokenstore.OAuthToken{}) {
			faults, one = faults+1, err
		}
		if err := w.rows.save(token, stored[i], one); err != nil {
			rt.Fatalf("token %d of %d: %v", i+1, len(tokens), err)
		}
	}
	if (err != nil) != (faults > 0) {
		rt.Fatalf("%d tokens were not saved, but the error is %v", faults, err)
	}
}

func (w *modelWorld) deleteOne(rt *rapid.T) {
	id := w.id(rt, "deleted")
	if err := w.client(rt).DeleteToken(w.ctx, id); err != nil {
		rt.Fatalf("delete: %v", err)
	}
	w.rows.remove(id)
}

func (w *modelWorld) deleteAll(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "all") != 0 {
		rt.Skip()
	}
	if err := w.client(rt).DeleteTokens(w.ctx); err != nil {
		rt.Fatalf("delete tokens: %v", err)
	}
	w.rows.removeAll()
}

// reindex repairs the index, or checks what a repair would do, within or after the grace
// period.
func (w *modelWorld) reindex(rt *rapid.T) {
	if rapid.Bool().Draw(rt, "later") {
		w.pass(rt, later)
	}
	store := w.client(rt)
	if rapid.IntRange(0, 3).Draw(rt, "only check") == 0 {
		if _, err := store.Check(w.ctx); err != nil {
			rt.Fatalf("check: %v", err)
		}
		return
	}
	if _, err := store.Reindex(w.ctx, secretstore.ReindexOptions{}); err != nil {
		rt.Fatalf("reindex: %v", err)
	}
	w.rows.repaired()
}

// lose removes the index and rebuilds it. Only the index shows that a secret without
// marks of its own belongs to the store.
func (w *modelWorld) lose(rt *rapid.T) {
	if slices.ContainsFunc(w.rows.rows, func(r *modelRow) bool { return !r.stray && (r.damaged || r.unmarked) }) {
		rt.Skip()
	}
	w.wait(rt)
	if err := w.loseIndex(w.ctx); err != nil {
		rt.Fatal(err)
	}
	w.wait(rt)
	if _, err := w.client(rt).Reindex(w.ctx, w.rotating()); err != nil {
		rt.Fatalf("reindex: %v", err)
	}
	w.rows.repaired()
}

// die has a process die in a save, before it writes the token.
func (w *modelWorld) die(rt *rapid.T) {
	if slices.ContainsFunc(w.rows.rows, func(r *modelRow) bool { return r.stray }) {
		rt.Skip() // Its claims would make a foreign secret the store's.
	}
	w.died = true
	died := errors.New("the process has died")
	store, err := w.process(func(secrets driver.Secrets) driver.Secrets {
		dead := false
		return drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
			if dead = dead || c.Method == drivertest.Put && strings.HasPrefix(c.Name, w.service.Prefix+"tokens/"); dead {
				return drivertest.Outcome{Err: died}
			}
			return drivertest.Outcome{}
		})
	})
	if err != nil {
		rt.Fatal(err)
	}
	w.pass(rt, step)
	// A save that does not reach the write of the token changes nothing.
	_, _ = store.SaveToken(w.ctx, w.token(rt, "token"))
	w.wait(rt)
}

// edit changes a field of a token as a person does.
func (w *modelWorld) edit(rt *rapid.T) {
	w.wait(rt)
	r := w.rowThat(rt, "row", func(r *modelRow) bool { return !r.damaged && !r.unlisted && !r.overwritten })
	fields := []string{"user_name", "refresh_token", "grant_token", "access_token", "api_domain", noteField, "keys", "generation", "created", "id"}
	field := rapid.SampledFrom(fields).Draw(rt, "field")
	edited, key := r.token, tokenstore.Key{}
	text := ""
	if r.lacks == nil {
		r.lacks = map[string]bool{}
	}
	draw := func(from []string) string { return rapid.SampledFrom(from).Draw(rt, "text") }
	switch field {
	case "user_name":
		text = draw(modelUsers)
		edited.UserName, key = text, tokenstore.Key{Kind: tokenstore.UserKey, Value: text}
	case "refresh_token":
		text = draw(modelRefresh)
		edited.RefreshToken, key = text, tokenstore.Key{Kind: tokenstore.RefreshKey, Value: text}
	case "grant_token":
		text = draw(modelGrants)
		edited.GrantToken, key = text, tokenstore.Key{Kind: tokenstore.GrantKey, Value: text}
	case "access_token":
		text = draw(modelAccess)
		edited.AccessToken, key = text, tokenstore.Key{Kind: tokenstore.AccessKey, Value: text}
	case "api_domain":
		text = draw(modelDomains)
		edited.APIDomain = text
	case noteField:
		text = draw([]string{"", "fake note", "another fake note"})
		r.note = text
	case "generation", "created", "keys":
		if r.lacks[field] = true; len(r.lacks) == bookkeepingFields {
			rt.Skip() // It would look as if it had been overwritten.
		}
		if field == "created" {
			r.created = 0
			w.rows.sort()
		}
	}
	if err := w.editToken(w.ctx, secretID(r.token.ID), map[string]string{field: text}); err != nil {
		rt.Fatalf("edit: %v", err)
	}
	w.wait(rt)
	if edited == (tokenstore.OAuthToken{ID: edited.ID}) {
		w.rows.damage(r, edited, r.created, r.note)
		return
	}
	r.clean, r.unmarked = false, true
	if r.edited == nil {
		r.edited = map[tokenstore.Key]bool{}
	}
	if key.Value != "" && !tokenstore.Holds(r.token, key) {
		r.edited[key] = true
	}
	if refresh := (tokenstore.Key{Kind: tokenstore.RefreshKey, Value: edited.RefreshToken}); edited.UserName == "" && w.rows.lacks(r, refresh) {
		r.edited[refresh] = true // It belonged to a user.
	}
	r.token = edited
	if r.restored {
		r.masked = maps.Clone(r.edited)
	}
}

// plant stores secrets of others next to the store's own, under names that tokens could
// have.
func (w *modelWorld) plant(rt *rapid.T) {
	if w.died {
		rt.Skip() // A hint may point at the name, which would make the secret the store's.
	}
	derived := index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: "u3"}, w.rows.pepper)
	id := rapid.SampledFrom([]string{foreignID, derived, "a/b"}).Draw(rt, "secret of others")
	if w.rows.left[id] {
		rt.Skip()
	}
	name, data := w.service.Prefix+"tokens/"+id, `{"password":"fake"}`
	w.wait(rt)
	secrets, err := w.handle()
	if err != nil {
		rt.Fatal(err)
	}
	if _, err := secrets.Get(w.ctx, name); !errors.Is(err, driver.ErrNotFound) {
		rt.Skip()
	}
	if _, err := secrets.Put(w.ctx, driver.Secret{Name: name, Data: []byte(data)}); err != nil {
		rt.Fatalf("plant: %v", err)
	}
	w.wait(rt)
	w.planted[id], w.rows.foreign[id] = data, true
	if id == derived {
		w.rows.rows = append(w.rows.rows, &modelRow{token: tokenstore.OAuthToken{ID: id}, damaged: true, stray: true})
		w.rows.sort()
	}
}
