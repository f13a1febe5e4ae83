// A secret that a person has edited in the service's console is easily mistaken for another
// program's secret, or for a missing token. The cases here test that edits are accepted and
// damage is reported.

package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
)

const (
	ruleDamaged    = "GetTokens, and a find that reads it, report a token's secret that a person has damaged as unreadable; it is not a missing token, and does not hide the others"
	ruleMadeWhole  = "a save of the token to which a damaged secret belongs repairs it: the fields that are set overwrite, and the others stay as the person wrote them"
	ruleDamageGone = "a damaged secret can be deleted, by its ID and with all others"
	ruleOurs       = "a secret that was overwritten without its id and bookkeeping is still the token to which its name belongs, with the fields that were written"
	ruleStranger   = "a secret under a token's name with neither id nor bookkeeping, to which nothing of the store leads, is foreign: it is never listed, changed or deleted"
	ruleClaims     = "the next save of a row that a person has edited claims all its keys, however the edit was made"
	ruleBadExpiry  = "an expiry that cannot be understood counts as unknown, and the token stays readable"
)

// personCases test secrets that a person has edited.
func personCases() []Case {
	const byHand = `{"refresh_token":"fakecred-by-hand"}`
	const note = `{"note":"by hand"}`
	damages := []struct {
		name string
		data func(a, b string) string // of the secrets of the two tokens before
		kept token                    // the fields that the person has written
	}{
		{"field", func(string, string) string { return byHand }, token{RefreshToken: secret("by-hand")}},
		{"text", func(string, string) string { return "fakecred, not JSON {" }, token{}},
		{"empty", func(string, string) string { return "{}" }, token{}},
		{"note", func(string, string) string { return note }, token{}},
		{"copied", func(_, b string) string { return b }, edited(r2, func(t *token) { t.ID = "" })},
	}
	var cases []Case
	for _, d := range damages {
		cases = append(cases,
			Case{Name: "damaged-" + d.name, Rule: ruleDamaged, run: func(t *trial) {
				a, b := t.two()
				t.writes(a.ID, d.data(t.reads(a.ID), t.reads(b.ID)))
				t.damaged(a, b)
				t.finds(token{UserName: b.UserName}, b)
			}},
			Case{Name: "damaged-" + d.name + "-save", Rule: ruleMadeWhole, run: func(t *trial) {
				a, b := t.two()
				t.writes(a.ID, d.data(t.reads(a.ID), t.reads(b.ID)))
				asked := token{UserName: a.UserName, ClientID: c1, ClientSecret: s1, AccessToken: aNew, Expiry: at(9)}
				if d.name == "copied" {
					asked = withoutID(a) // Otherwise it would keep the keys of the other one.
				}
				want := tokenstore.Update(d.kept, asked)
				want.ID = a.ID
				t.found("save", want)(t.save(asked), nil)
				t.has(want, b)
			}},
			Case{Name: "damaged-" + d.name + "-delete", Rule: ruleDamageGone, run: func(t *trial) {
				a, b := t.two()
				t.writes(a.ID, d.data(t.reads(a.ID), t.reads(b.ID)))
				t.must("delete", t.store.DeleteToken(t.ctx, a.ID))
				t.findsNone(token{UserName: a.UserName})
				t.has(b)
				t.holdsNothing(a.ID)
				t.has(t.save(withoutID(a)), b)
			}},
			Case{Name: "damaged-" + d.name + "-delete-all", Rule: ruleDamageGone, run: func(t *trial) {
				a, b := t.two()
				t.writes(a.ID, d.data(t.reads(a.ID), t.reads(b.ID)))
				t.must("delete all", t.store.DeleteTokens(t.ctx))
				t.has()
				t.holdsNothing(a.ID)
				t.findsNone(token{UserName: a.UserName})
			}},
		)
	}
	return append(cases,
		Case{Name: "swapped", Rule: ruleDamaged, run: func(t *trial) {
			a, b := t.two()
			dataA, dataB := t.reads(a.ID), t.reads(b.ID)
			t.writes(a.ID, dataB)
			t.writes(b.ID, dataA)
			t.damaged(a)
			t.damaged(b)
			t.found("save", a)(t.save(withoutID(a)), nil)
			t.found("save", b)(t.save(withoutID(b)), nil)
			t.has(a, b)
		}},
		Case{Name: "pasted", Rule: ruleOurs, run: func(t *trial) {
			a, b := t.two()
			pasted := edited(a, func(t *token) { t.RefreshToken, t.AccessToken = rNew, aNew })
			data, err := tokenstore.EncodeToken(withoutID(pasted))
			t.must("encode", err)
			t.writes(a.ID, string(data))
			t.finds(token{UserName: a.UserName}, pasted)
			t.claims(pasted, b)
		}},
		Case{Name: "edited", Rule: ruleClaims, run: func(t *trial) {
			a, b := t.two()
			t.edits(a.ID, "refresh_token", rNew)
			now := edited(a, func(t *token) { t.RefreshToken = rNew })
			t.finds(token{UserName: a.UserName}, now)
			t.claims(now, b)
		}},
		Case{Name: "put-back", Rule: ruleClaims, run: func(t *trial) {
			a, b := t.two()
			before := t.reads(a.ID)
			rotated := edited(a, func(t *token) { t.RefreshToken, t.AccessToken, t.Expiry = rNew, aNew, at(9) })
			t.found("save", rotated)(t.save(withoutID(rotated)), nil)
			t.writes(a.ID, before)
			t.finds(token{UserName: a.UserName}, a)
			t.claims(a, b)
			t.findsNone(token{AccessToken: aNew})
		}},
		Case{Name: "expiry-by-hand", Rule: ruleBadExpiry, run: func(t *trial) {
			a, b := t.two()
			for _, text := range []string{"next week", "2030-01-01T00:00:00Z", "fakecred"} {
				t.edits(a.ID, "expiry_time", text)
				now := edited(a, func(t *token) { t.Expiry = time.Time{} })
				t.finds(token{UserName: a.UserName}, now)
				t.has(now, b)
			}
		}},
		Case{Name: "stranger", Rule: ruleStranger, run: func(t *trial) {
			a, b := t.two()
			strangers := map[string]string{
				"theirs1": `{"password":"fakecred-of-others"}`,
				"theirs2": `{"refresh_token":"fakecred-of-others","client_id":"fakecred","api_domain":"https://of.others.example"}`,
				"theirs3": "fakecred of others, not JSON {",
			}
			for id, data := range strangers {
				if data[0] == '{' || t.takesText() {
					t.writes(id, data)
				} else {
					delete(strangers, id)
				}
			}
			t.findsNone(token{ClientID: c1, ClientSecret: s1, RefreshToken: secret("of-others")})
			t.has(a, b)
			t.must("delete all", t.store.DeleteTokens(t.ctx))
			t.has()
			for id, data := range strangers {
				if now := t.reads(id); !sameData([]byte(now), []byte(data)) {
					t.fails("the foreign secret %s now holds %s", show(id, false), show(now, true))
				}
			}
		}},
	)
}

// two returns two stored tokens whose IDs are derived from their users. It ends the case
// if WithPerson was not given.
func (t *trial) two() (a, b token) {
	if t.settings.read == nil || t.settings.write == nil {
		t.lacks("WithPerson was not given")
	}
	return t.save(withoutID(r1)), t.save(withoutID(r2))
}

// reads returns a token's secret as a person sees it, or ends the case.
func (t *trial) reads(id string) string {
	data, err := t.settings.read(t.ctx, t.store.store, id)
	t.must("the person's look", err)
	return string(data)
}

// writes overwrites a token's secret as a person does. If the service does not
// accept such data, the case ends.
func (t *trial) writes(id, data string) {
	err := t.settings.write(t.ctx, t.store.store, id, []byte(data))
	if errors.Is(err, errors.ErrUnsupported) {
		t.lacks("the service does not store what the person writes")
	}
	t.must("the person's edit", err)
}

// takesText reports whether a person can write data that is not JSON.
func (t *trial) takesText() bool {
	err := t.settings.write(t.ctx, t.store.store, "theirs0", []byte("fakecred, not JSON"))
	return !errors.Is(err, errors.ErrUnsupported)
}

// edits changes one field of a token's secret and leaves the others.
func (t *trial) edits(id, field, text string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(t.reads(id)), &fields) != nil {
		t.fails("the secret of a token is not a JSON object")
		giveUp()
	}
	fields[field], _ = json.Marshal(text) // cannot fail: it is a string
	data, err := json.Marshal(fields)
	t.must("the person's edit", err)
	t.writes(id, string(data))
}

// damaged checks that a damaged secret is reported and does not hide other tokens.
func (t *trial) damaged(a token, others ...token) {
	_, err := t.store.FindToken(t.ctx, token{UserName: a.UserName})
	t.matchesKind("find by the user of a damaged secret", err, tokenstore.ErrUnreadable)
	tokens, err := t.store.GetTokens(t.ctx)
	t.matchesKind("list with a damaged secret", err, tokenstore.ErrUnreadable)
	if len(others) > 0 && !sameRows(tokens, others) {
		t.fails("with a damaged secret, the list holds %s", rowsDifference(tokens, others))
	}
}

// claims saves the row of an edited secret by its user; after that every key finds it.
func (t *trial) claims(now token, others ...token) {
	domain := "https://api.example/saved"
	want := edited(now, func(t *token) { t.APIDomain = domain })
	t.found("save", want)(t.save(token{UserName: now.UserName, APIDomain: domain}), nil)
	t.has(append(others, want)...)
}

// has is like holds, but in any order: an overwritten secret has lost its age.
func (t *trial) has(rows ...token) {
	byID := func(a, b token) int { return strings.Compare(a.ID, b.ID) }
	got, want := t.list(), slices.SortedFunc(slices.Values(rows), byID)
	slices.SortFunc(got, byID)
	if !sameRows(got, want) {
		t.fails("the store now holds %s", rowsDifference(got, want))
		return
	}
	for _, r := range want {
		t.foundByAll(t.store, r, []token{r})
	}
}

// holdsNothing checks that a token's secret holds no credential that a person could read.
func (t *trial) holdsNothing(id string) {
	data, err := t.settings.read(t.ctx, t.store.store, id)
	if err == nil && strings.Contains(string(data), mark) {
		t.fails("the deleted secret still holds a credential")
	}
}
