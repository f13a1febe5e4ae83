package secretstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// restorable is a service that reports when older data of a secret was put back.
type restorable struct {
	*memory.Secrets
	restored map[string]string // revisions, by name
}

func newRestorable() *restorable { return &restorable{memory.New(), map[string]string{}} }

// restore puts data back as a person does by the service's own means.
func (r *restorable) restore(secret driver.Secret) {
	r.restored[secret.Name] = r.Edit(secret.Name, secret.Data)
}

func (r *restorable) Get(ctx context.Context, name string) (driver.Secret, error) {
	secret, err := r.Secrets.Get(ctx, name)
	secret.Restored = err == nil && r.restored[name] == secret.Revision
	return secret, err
}

// bench is a store whose secrets a person edits.
type bench struct {
	*testing.T
	*restorable
	now  time.Time
	form []secretstore.Option
}

// onEachForm runs a test with each form of index. No find searches all tokens.
func onEachForm(t *testing.T, test func(b *bench)) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			test(&bench{t, newRestorable(), time.Unix(1_700_000_000, 0), form})
		})
	}
}

// process returns the store of a program that remembers nothing.
func (b *bench) process() *secretstore.Store {
	b.Helper()
	options := []secretstore.Option{noWait, secretstore.WithScanLimit(0), secretstore.WithClock(func() time.Time { return b.now })}
	return open(b.T, b, append(options, b.form...)...)
}

// save saves a token with client values.
func (b *bench) save(token tokenstore.OAuthToken) tokenstore.OAuthToken {
	b.Helper()
	saved, err := b.process().SaveToken(b.Context(), client(token))
	if err != nil {
		b.Fatal(err)
	}
	return saved
}

// secret returns the secret of a token.
func (b *bench) secret(token tokenstore.OAuthToken) driver.Secret {
	b.Helper()
	secret, err := b.Get(b.Context(), b.process().SecretName(token.ID))
	if err != nil {
		b.Fatal(err)
	}
	return secret
}

// write replaces a token's secret with these fields only.
func (b *bench) write(token tokenstore.OAuthToken, fields map[string]string) {
	b.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		b.Fatal(err)
	}
	b.Edit(b.process().SecretName(token.ID), data)
}

// pasted returns a token's fields without its ID, as a person pastes them.
func pasted(token tokenstore.OAuthToken) map[string]string {
	token.ID = ""
	data, _ := tokenstore.EncodeToken(token) // The token was stored.
	var fields map[string]string
	_ = json.Unmarshal(data, &fields)
	return fields
}

// listed compares all tokens, and the unreadable ones that are named.
func (b *bench) listed(when string, want []tokenstore.OAuthToken, unreadable ...string) {
	b.Helper()
	tokens, err := b.process().GetTokens(b.Context())
	byID := func(x, y tokenstore.OAuthToken) int { return strings.Compare(x.ID, y.ID) }
	if !slices.Equal(slices.SortedFunc(slices.Values(tokens), byID), slices.SortedFunc(slices.Values(want), byID)) {
		b.Errorf("%s: listed are %v, want %v", when, tokens, want)
	}
	if errors.Is(err, tokenstore.ErrUnreadable) != (len(unreadable) > 0) || err != nil && len(unreadable) == 0 {
		b.Errorf("%s: the list gives %v, want %d unreadable", when, err, len(unreadable))
	}
	for _, text := range unreadable {
		if err == nil || !strings.Contains(err.Error(), text) {
			b.Errorf("%s: the list does not say %q: %v", when, text, err)
		}
	}
}

// foundByAll finds a token by each of its keys and by its ID.
func (b *bench) foundByAll(when string, token tokenstore.OAuthToken) {
	b.Helper()
	for _, k := range tokenstore.KeysOf(token) {
		if found, err := b.process().FindToken(b.Context(), tokenstore.QueryFor(k)); err != nil || found != token {
			b.Errorf("%s: by the %s: %v, %v", when, k, found, err)
		}
	}
	if found, err := b.process().FindTokenByID(b.Context(), token.ID); err != nil || found != token {
		b.Errorf("%s: by the ID: %v, %v", when, found, err)
	}
}

// unreadable expects finds by these keys and by the ID to fail as unreadable, with these
// words.
func (b *bench) unreadable(when string, id string, keys []tokenstore.Key, texts ...string) {
	b.Helper()
	check := func(how string, err error) {
		b.Helper()
		if !errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, tokenstore.ErrNotFound) {
			b.Errorf("%s: a find by %s gives %v", when, how, err)
			return
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				b.Errorf("%s: a find by %s does not say %q: %v", when, how, text, err)
			}
		}
		if strings.Contains(err.Error(), "typed") {
			b.Errorf("%s: a find by %s quotes what is stored: %v", when, how, err)
		}
	}
	for _, k := range keys {
		_, err := b.process().FindToken(b.Context(), tokenstore.QueryFor(k))
		check("the "+k.String(), err)
	}
	_, err := b.process().FindTokenByID(b.Context(), id)
	check("its ID", err)
}

// repair reindexes after the grace period.
func (b *bench) repair() secretstore.Report {
	b.Helper()
	b.now = b.now.Add(48 * time.Hour)
	report, err := b.process().Reindex(b.Context(), secretstore.ReindexOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return report
}

// damages are a person's changes to the secret of a token with a user, the words of the
// error that they cause, and the person's fields that are kept.
var damages = map[string]struct {
	data, missing string
	kept          tokenstore.OAuthToken
}{
	"one field, as vault kv put writes it": {`{"refresh_token":"fake-typed"}`, "user_name", tokenstore.OAuthToken{RefreshToken: "fake-typed"}},
	"another user's fields, pasted": {`{"user_name":"fake-other-user","refresh_token":"fake-typed","access_token":"fake-typed-access"}`, "user_name",
		tokenstore.OAuthToken{RefreshToken: "fake-typed", AccessToken: "fake-typed-access"}},
	"one field with an ID":     {`{"id":"ID","api_domain":"https://typed.example"}`, "user_name", tokenstore.OAuthToken{APIDomain: "https://typed.example"}},
	"a field that is none":     {`{"user_name":"fake-user","refresh_token":{"typed":1}}`, "refresh_token", tokenstore.OAuthToken{}},
	"nothing of a token":       {`{"password":"typed"}`, "none of a token's fields", tokenstore.OAuthToken{}},
	"nothing":                  {`{}`, "none of a token's fields", tokenstore.OAuthToken{}},
	"not JSON":                 {`typed`, "not a JSON object", tokenstore.OAuthToken{}},
	"JSON with a comma":        {`{"refresh_token":"typed",}`, "not a JSON object", tokenstore.OAuthToken{}},
	"the ID of another":        {`{"id":"another","user_name":"fake-user","refresh_token":"fake-typed"}`, "has the id of another token", tokenstore.OAuthToken{RefreshToken: "fake-typed"}},
	"all fields removed":       {`{"id":"ID","generation":"1700000009","created":"1700000000000000","keys":"typed"}`, "none of a token's fields", tokenstore.OAuthToken{}},
	"all fields and ID gone":   {`{"generation":"1700000009","created":"1700000000000000"}`, "none of a token's fields", tokenstore.OAuthToken{}},
	"a user and nothing to do": {`{"user_name":{},"refresh_token":"fake-typed"}`, "user_name", tokenstore.OAuthToken{RefreshToken: "fake-typed"}},
}

// TestDamagedTokenIsNoStranger has a person damage the secret of a user's token.
func TestDamagedTokenIsNoStranger(t *testing.T) {
	onEachForm(t, func(b *bench) {
		for what, damage := range damages {
			b.restorable = newRestorable()
			ctx := b.Context()
			other := b.save(tokenstore.OAuthToken{UserName: "fake-user-2", RefreshToken: "fake-refresh-2"})
			token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", GrantToken: "fake-grant", AccessToken: "fake-access"})
			sound := b.secret(token)
			name := sound.Name
			indexed := []tokenstore.Key{{Kind: tokenstore.UserKey, Value: "fake-user"}, {Kind: tokenstore.RefreshKey, Value: "fake-refresh"}, {Kind: tokenstore.GrantKey, Value: "fake-grant"}}
			damageIt := func() { b.Edit(name, []byte(strings.ReplaceAll(damage.data, "ID", token.ID))) }

			damageIt()
			b.unreadable(what, token.ID, indexed, name, damage.missing)
			b.listed(what, []tokenstore.OAuthToken{other}, name, damage.missing)
			if _, err := b.process().SaveToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh", AccessToken: "fake-new"})); !errors.Is(err, tokenstore.ErrUnreadable) {
				b.Errorf("%s: a save that cannot mend it gives %v", what, err)
			}
			if _, err := b.process().SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-user-3", RefreshToken: "fake-refresh"})); !errors.Is(err, tokenstore.ErrUnreadable) {
				b.Errorf("%s: a save that might adopt it gives %v", what, err)
			}

			report := b.repair()
			if !slices.Equal(report.Unreadable, []string{token.ID}) || report.Foreign != 0 || len(report.Warnings) != 1 || !strings.HasPrefix(report.Warnings[0], name) || report.HintsRemoved != 0 {
				b.Errorf("%s: the repair gives %+v", what, report)
			}
			b.Edit(name, sound.Data)
			b.foundByAll(what+", after the content was put back", token)

			damageIt()
			if err := b.process().DeleteToken(ctx, token.ID); err != nil {
				b.Errorf("%s: DeleteToken: %v", what, err)
			}
			b.gone(what, token)
			b.listed(what+", deleted", []tokenstore.OAuthToken{other})
			if again := b.save(token); again != token {
				b.Errorf("%s: saved after the deletion: %v", what, again)
			}
			b.foundByAll(what+", saved after the deletion", token)

			damageIt()
			if err := b.process().DeleteTokens(ctx); err != nil {
				b.Errorf("%s: DeleteTokens: %v", what, err)
			}
			b.gone(what+", with all", token)
			b.listed(what+", all deleted", nil)
		}
	})
}

// gone expects that a secret is a tombstone.
func (b *bench) gone(when string, token tokenstore.OAuthToken) {
	b.Helper()
	if secret := b.secret(token); !strings.Contains(string(secret.Data), `"deleted"`) || strings.Contains(string(secret.Data), "typed") {
		b.Errorf("%s: after the deletion the secret is %s", when, secret.Data)
	}
	if _, err := b.process().FindToken(b.Context(), tokenstore.OAuthToken{UserName: token.UserName}); !errors.Is(err, tokenstore.ErrNotFound) {
		b.Errorf("%s: after the deletion a find gives %v", when, err)
	}
}

// TestSaveMendsADamagedToken saves a token whose secret a person has damaged: the fields
// that are set overwrite, the person's other fields stay, and every key finds it.
func TestSaveMendsADamagedToken(t *testing.T) {
	onEachForm(t, func(b *bench) {
		for what, damage := range damages {
			for _, byID := range []bool{false, true} {
				b.restorable = newRestorable()
				ctx := b.Context()
				token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", AccessToken: "fake-access"})
				b.Edit(b.secret(token).Name, []byte(strings.ReplaceAll(damage.data, "ID", token.ID)))
				set := tokenstore.OAuthToken{UserName: "fake-user", AccessToken: "fake-set", ClientID: "fake-set-client"}
				if byID {
					set.ID = token.ID
				}
				unreadableField := strings.Contains(damage.data, `"refresh_token":{`)
				if unreadableField {
					if _, err := b.process().SaveToken(ctx, set); !errors.Is(err, tokenstore.ErrUnreadable) {
						b.Errorf("%s: a save that leaves a field as it is gives %v", what, err)
					}
					set.RefreshToken = "fake-set-refresh"
				}
				if _, err := b.process().SaveTokens(ctx, []tokenstore.OAuthToken{set}); err != nil {
					b.Fatalf("%s: a save gives %v", what, err)
				}
				want := tokenstore.Update(damage.kept, set)
				want.ID = token.ID
				if unreadableField {
					want.UserName = "fake-user"
				}
				b.foundByAll(what, want)
				b.listed(what, []tokenstore.OAuthToken{want})
				if strings.Contains(damage.data, "password") && !strings.Contains(string(b.secret(token).Data), `"password":"typed"`) {
					b.Errorf("%s: the person's fields are gone", what)
				}
				if report := b.repair(); len(report.Unreadable)+report.KeysAdded != 0 {
					b.Errorf("%s: after the save there is something to repair: %+v", what, report)
				}
			}
		}
	})
}

// TestOverwrittenToken has a person replace a token's secret, without an ID, so that it is
// still a token: its ID comes from its name, and the typed fields count.
func TestOverwrittenToken(t *testing.T) {
	user := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", AccessToken: "fake-access"}
	given := tokenstore.OAuthToken{ID: "given ID", UserName: "fake-user", RefreshToken: "fake-refresh"}
	ownerless := tokenstore.OAuthToken{RefreshToken: "fake-refresh", AccessToken: "fake-access"}
	for what, c := range map[string]struct {
		token  tokenstore.OAuthToken
		fields map[string]string
		want   tokenstore.OAuthToken
	}{
		"all fields of a user's": {user, pasted(client(user)), client(user)},
		"two fields of a user's": {user, map[string]string{"user_name": "fake-user", "refresh_token": "fake-typed"}, tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-typed"}},
		"one field, given ID":    {given, map[string]string{"refresh_token": "fake-typed"}, tokenstore.OAuthToken{RefreshToken: "fake-typed"}},
		"a domain, given ID":     {given, map[string]string{"api_domain": "https://typed.example"}, tokenstore.OAuthToken{APIDomain: "https://typed.example"}},
		"without a user":         {ownerless, map[string]string{"refresh_token": "fake-refresh", "access_token": "fake-typed"}, tokenstore.OAuthToken{RefreshToken: "fake-refresh", AccessToken: "fake-typed"}},
	} {
		t.Run(what, func(t *testing.T) {
			onEachForm(t, func(b *bench) {
				token := b.save(c.token)
				c.want.ID = token.ID
				b.write(token, c.fields)
				b.listed("written", []tokenstore.OAuthToken{c.want})
				if found, err := b.process().FindTokenByID(b.Context(), token.ID); err != nil || found != c.want {
					b.Errorf("by ID: %v, %v", found, err)
				}
				saved := b.save(tokenstore.OAuthToken{ID: token.ID, APIDomain: "https://set.example"})
				if want := tokenstore.Update(c.want, client(tokenstore.OAuthToken{APIDomain: "https://set.example"})); saved != want {
					b.Errorf("a save gives %v, want %v", saved, want)
				}
				b.foundByAll("after a save", saved)
				b.listed("after a save", []tokenstore.OAuthToken{saved})

				b.write(token, c.fields)
				report := b.repair()
				if report.Tokens != 1 || report.Foreign+len(report.Unreadable) != 0 {
					b.Errorf("the repair gives %+v", report)
				}
				b.foundByAll("after a repair", c.want)

				b.write(token, c.fields)
				if err := b.process().DeleteToken(b.Context(), token.ID); err != nil {
					b.Error(err)
				}
				b.gone("deleted", token)
				b.save(c.token)
				b.write(token, c.fields)
				if err := b.process().DeleteTokens(b.Context()); err != nil {
					b.Error(err)
				}
				b.gone("all deleted", token)
			})
		})
	}
}

// TestOverwrittenTokenOfALongID tests a token whose ID is lost: its name is only a hash.
func TestOverwrittenTokenOfALongID(t *testing.T) {
	onEachForm(t, func(b *bench) {
		token := b.save(tokenstore.OAuthToken{ID: strings.Repeat("long/", 40), UserName: "fake-user", RefreshToken: "fake-refresh"})
		b.write(token, map[string]string{"user_name": "fake-user", "refresh_token": "fake-typed"})
		keys := []tokenstore.Key{{Kind: tokenstore.UserKey, Value: "fake-user"}, {Kind: tokenstore.RefreshKey, Value: "fake-refresh"}}
		b.unreadable("overwritten", token.ID, keys, "no id")
		b.listed("overwritten", nil, "no id")
		if _, err := b.process().SaveToken(b.Context(), tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-set"}); !errors.Is(err, tokenstore.ErrUnreadable) {
			b.Errorf("a save by the user gives %v", err)
		}
		saved := b.save(tokenstore.OAuthToken{ID: token.ID, AccessToken: "fake-set"})
		if want := client(tokenstore.OAuthToken{ID: token.ID, UserName: "fake-user", RefreshToken: "fake-typed", AccessToken: "fake-set"}); saved != want {
			b.Errorf("a save by the ID gives %v, want %v", saved, want)
		}
		b.foundByAll("after the save", saved)
	})
}

// TestDamagedTokenWithoutAUser finds and repairs a damaged token by its refresh token.
func TestDamagedTokenWithoutAUser(t *testing.T) {
	for what, save := range map[string]tokenstore.OAuthToken{
		"by the refresh token": {RefreshToken: "fake-refresh", AccessToken: "fake-set"},
		"by an adoption":       {UserName: "fake-user", RefreshToken: "fake-refresh"},
	} {
		t.Run(what, func(t *testing.T) {
			onEachForm(t, func(b *bench) {
				token := b.save(tokenstore.OAuthToken{RefreshToken: "fake-refresh", AccessToken: "fake-access"})
				b.write(token, map[string]string{"access_token": "fake-typed"})
				b.unreadable("overwritten", token.ID, []tokenstore.Key{{Kind: tokenstore.RefreshKey, Value: "fake-refresh"}}, "refresh_token")
				b.listed("overwritten", nil, "refresh_token")
				saved := b.save(save)
				want := tokenstore.Update(tokenstore.OAuthToken{ID: token.ID, AccessToken: "fake-typed"}, client(save))
				if saved != want {
					b.Errorf("a save gives %v, want %v", saved, want)
				}
				b.foundByAll("after the save", saved)
				b.listed("after the save", []tokenstore.OAuthToken{saved})
			})
		})
	}
}

// TestSaveMendsWhatAHintLeadsTo damages a token whose name is derived from its refresh token,
// and to which a hint of a user leads: the user adopted it, or a save of the user that was to
// mend it got no further than its claims. A save of both then mends it.
func TestSaveMendsWhatAHintLeadsTo(t *testing.T) {
	adopted := tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", AccessToken: "fake-set"}
	for what, interrupted := range map[string]bool{"adopted": false, "interrupted": true} {
		t.Run(what, func(t *testing.T) {
			onEachForm(t, func(b *bench) {
				token := b.save(tokenstore.OAuthToken{RefreshToken: "fake-refresh"})
				if !interrupted {
					b.save(adopted)
				}
				b.Edit(b.secret(token).Name, []byte("typed"))
				if interrupted {
					lost := drivertest.Inject(b, func(c drivertest.Call) drivertest.Outcome {
						if c.Method == drivertest.Put && c.Name == b.process().SecretName(token.ID) {
							return drivertest.Outcome{Err: driver.ErrUnavailable}
						}
						return drivertest.Outcome{}
					})
					options := append([]secretstore.Option{noWait}, b.form...)
					if _, err := open(b.T, lost, options...).SaveToken(b.Context(), client(adopted)); !errors.Is(err, tokenstore.ErrUnavailable) {
						b.Fatalf("a save that is interrupted gives %v", err)
					}
				}
				other := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh-2"})
				if _, err := b.process().SaveToken(b.Context(), other); !errors.Is(err, tokenstore.ErrUnreadable) {
					b.Errorf("a save that may mean another token gives %v", err)
				}
				content := b.secret(token)
				b.Edit(content.Name, []byte(`{"id":"another","user_name":"fake-other-user","refresh_token":"typed"}`))
				if _, err := b.process().SaveToken(b.Context(), client(adopted)); !errors.Is(err, tokenstore.ErrUnreadable) {
					b.Errorf("a save over another user's token gives %v", err)
				}
				b.Edit(content.Name, content.Data)
				saved := b.save(adopted)
				if want := client(adopted); saved.ID != token.ID || saved.RefreshToken != want.RefreshToken {
					b.Errorf("a save gives %v", saved)
				}
				b.foundByAll("after the save", saved)
				b.listed("after the save", []tokenstore.OAuthToken{saved})
				if report := b.repair(); len(report.Unreadable)+report.KeysAdded != 0 {
					b.Errorf("after the save there is something to repair: %+v", report)
				}
			})
		})
	}
}

// TestSaveMendsWhatASearchFinds gives a token the ID of another. A save without a client finds
// it by its access token, which the index leaves out: the search mends what a hint would.
func TestSaveMendsWhatASearchFinds(t *testing.T) {
	onEachForm(t, func(b *bench) {
		b.form = append(slices.Clone(b.form), secretstore.WithoutAccessIndex())
		token := tokenstore.OAuthToken{RefreshToken: "fake-refresh", AccessToken: "fake-access", APIDomain: "https://api.example"}
		stored, err := b.process().SaveToken(b.Context(), token)
		if err != nil {
			b.Fatal(err)
		}
		name, typed := b.secret(stored).Name, `{"id":"another","refresh_token":"fake-refresh","access_token":"fake-access"`
		b.Edit(name, []byte(typed+`,"user_name":"fake-other-user"}`))
		if saved, err := b.process().SaveToken(b.Context(), token); !errors.Is(err, tokenstore.ErrUnreadable) {
			b.Errorf("a save over another user's token gives %v, %v", saved, err)
		}
		b.Edit(name, []byte(typed+`}`))
		if saved, err := b.process().SaveToken(b.Context(), token); err != nil || saved != stored {
			b.Errorf("a save gives %v, %v", saved, err)
		}
		b.listed("after the save", []tokenstore.OAuthToken{stored})
	})
}

// TestScanMeetsDamage types a refresh token over a user's secret: whoever looks for it
// hears of the damage, also where no hint leads to it.
func TestScanMeetsDamage(t *testing.T) {
	for name, form := range forms {
		b := &bench{t, newRestorable(), time.Unix(1_700_000_000, 0), append([]secretstore.Option{secretstore.WithScanLimit(10)}, form...)}
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		b.write(token, map[string]string{"refresh_token": "fake-typed"})
		store := open(t, b, append([]secretstore.Option{noWait}, b.form...)...)
		if _, err := store.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: "fake-typed"})); !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("%s: a find by what was typed gives %v", name, err)
		}
		if _, err := store.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: "fake-other"})); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s: a find by another key gives %v", name, err)
		}
	}
}

// TestStrangersSecretsAreLeftAlone has foreign secrets under names that a token could
// have, without hints that point to them.
func TestStrangersSecretsAreLeftAlone(t *testing.T) {
	strangers := map[string]string{
		"theirs": `{"password":"fake"}`, "42": `{"id":"7","password":"fake"}`, "text": "fake", "list": `["fake"]`, "empty": `{}`,
		"oauth": `{"refresh_token":"fake-of-others","client_id":"fake"}`, strings.Repeat("a", 26): `{"access_token":"fake-of-others"}`,
	}
	onEachForm(t, func(b *bench) {
		ctx := b.Context()
		for id, data := range strangers {
			b.Edit(b.process().SecretName(id), []byte(data))
		}
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		store := b.process()
		for range 2 { // The second time the process remembers that they are foreign.
			if tokens, err := store.GetTokens(ctx); err != nil || !slices.Equal(tokens, []tokenstore.OAuthToken{token}) {
				b.Errorf("listed are %v, %v", tokens, err)
			}
			for id := range strangers {
				if _, err := store.FindTokenByID(ctx, id); !errors.Is(err, tokenstore.ErrNotFound) {
					b.Errorf("a find of %s gives %v", id, err)
				}
				if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{ID: id, RefreshToken: "fake"}); !errors.Is(err, tokenstore.ErrUnreadable) {
					b.Errorf("a save to %s gives %v", id, err)
				}
				if err := store.DeleteToken(ctx, id); err != nil {
					b.Errorf("a deletion of %s gives %v", id, err)
				}
			}
		}
		if report := b.repair(); report.Foreign != len(strangers) || len(report.Unreadable) != 0 {
			b.Errorf("the repair gives %+v", report)
		}
		if err := b.process().DeleteTokens(ctx); err != nil {
			b.Error(err)
		}
		for id, data := range strangers {
			if secret, err := b.Get(ctx, b.process().SecretName(id)); err != nil || string(secret.Data) != data {
				b.Errorf("%s is now %s, %v", id, secret.Data, err)
			}
		}
	})
}

// lateList is a service whose list of the index is late.
type lateList struct {
	*restorable
	late bool
}

func (l *lateList) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if l.late && strings.HasSuffix(prefix, "index/") {
		return func(func(string, error) bool) {}
	}
	return l.restorable.List(ctx, prefix)
}

// TestLateListIsNoProof has a program list the tokens while the service does not yet show
// the index of a new one, which a person has overwritten. It must not take the token
// for a stranger's for as long as it runs.
func TestLateListIsNoProof(t *testing.T) {
	ctx, secrets, now := t.Context(), &lateList{restorable: newRestorable()}, time.Unix(1_700_000_000, 0)
	store := open(t, secrets, noWait, secretstore.WithScanLimit(0), secretstore.WithClock(func() time.Time { return now }))
	name := store.SecretName("1")
	if _, err := open(t, secrets, noWait).SaveToken(ctx, client(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh"})); err != nil {
		t.Fatal(err)
	}
	secrets.Edit(name, []byte(`{"refresh_token":"fake-typed"}`))
	secrets.late = true
	if _, err := store.GetTokens(ctx); err != nil {
		t.Error(err)
	}
	secrets.late, now = false, now.Add(time.Hour)
	if found, err := store.FindTokenByID(ctx, "1"); err != nil || found.RefreshToken != "fake-typed" {
		t.Errorf("later a find gives %v, %v", found, err)
	}
	if err := store.DeleteToken(ctx, "1"); err != nil {
		t.Error(err)
	}
	if secret, err := secrets.Get(ctx, name); err != nil || strings.Contains(string(secret.Data), "typed") {
		t.Errorf("after the deletion the secret is %s, %v", secret.Data, err)
	}
}

// TestFormOfALaterRelease meets tokens and tombstones that a later release wrote.
func TestFormOfALaterRelease(t *testing.T) {
	onEachForm(t, func(b *bench) {
		ctx := b.Context()
		other := b.save(tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-refresh-2"})
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		secret := b.secret(token)
		for what, data := range map[string]string{
			"a token":      strings.Replace(string(secret.Data), "{", `{"form":"sealed-2",`, 1),
			"a tombstone":  `{"form":"sealed-2","deleted":"1700000000000000","generation":"1800000000"}`,
			"another mark": `{"form":"sealed-2","sealed":"fake"}`,
		} {
			b.Edit(secret.Name, []byte(data))
			b.unreadable(what, token.ID, []tokenstore.Key{{Kind: tokenstore.UserKey, Value: "fake-user"}}, `form "sealed-2"`, "upgrade")
			b.listed(what, []tokenstore.OAuthToken{other}, "sealed-2")
			if _, err := b.process().SaveToken(ctx, token); !errors.Is(err, tokenstore.ErrUnreadable) {
				b.Errorf("%s: a save gives %v", what, err)
			}
			if err := b.process().DeleteToken(ctx, token.ID); !errors.Is(err, tokenstore.ErrUnreadable) {
				b.Errorf("%s: a deletion gives %v", what, err)
			}
			b.repair()
			if now := b.secret(token); string(now.Data) != data {
				b.Errorf("%s was changed to %s", what, now.Data)
			}
		}
	})
}

// TestNoteSurvives checks that updates, fences, edits and repairs keep a token source's
// note, and that a deletion drops it.
func TestNoteSurvives(t *testing.T) {
	onEachForm(t, func(b *bench) {
		for _, note := range []string{`"claimed fake"`, `{"a":["b"]}`, `7`} {
			b.restorable = newRestorable()
			token := b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh"})
			noted := func(when string, want bool) {
				b.Helper()
				if data := string(b.secret(token).Data); strings.Contains(data, `"note":`+note) != want {
					b.Errorf("%s: %s", when, data)
				}
			}
			secret := b.secret(token)
			b.Edit(secret.Name, []byte(strings.Replace(string(secret.Data), "{", `{"note":`+note+`,`, 1)))
			b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-2"})
			noted("after an update", true)
			b.Edit(secret.Name, []byte(`{"id":"another","refresh_token":"fake-refresh","note":`+note+`}`))
			b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-3"})
			noted("after mending", true)
			if err := b.process().DeleteToken(b.Context(), "1"); err != nil {
				b.Error(err)
			}
			noted("after a deletion", false)
		}
	})
}

// TestWarnings checks tokens with harmless mistakes that need a person's attention.
func TestWarnings(t *testing.T) {
	onEachForm(t, func(b *bench) {
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", Expiry: time.Unix(1_800_000_000, 0)})
		secret := b.secret(token)
		text := strings.NewReplacer(`"1800000000000"`, `"1.8e12"`, `"fake-refresh"`, `"fake-refresh\n"`).Replace(string(secret.Data))
		b.Edit(secret.Name, []byte(text))
		want := token
		want.RefreshToken, want.Expiry = "fake-refresh\n", time.Time{}
		b.listed("edited", []tokenstore.OAuthToken{want})
		report, err := b.process().Check(b.Context())
		if err != nil || len(report.Warnings) != 2 || !strings.HasPrefix(report.Warnings[0], secret.Name+": refresh_token: ") || !strings.HasPrefix(report.Warnings[1], secret.Name+": expiry_time: ") {
			b.Errorf("warnings %q, %v", report.Warnings, err)
		}
		if strings.Contains(strings.Join(report.Warnings, " "), "fake-refresh") {
			b.Errorf("the warnings quote a credential: %q", report.Warnings)
		}
		b.save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://api.example"})
		if data := string(b.secret(token).Data); !strings.Contains(data, `"expiry_time":"1.8e12"`) {
			b.Errorf("a save without an expiry has made of the person's: %s", data)
		}
		b.save(tokenstore.OAuthToken{UserName: "fake-user", Expiry: time.Unix(1_900_000_000, 0)})
		if data := string(b.secret(token).Data); !strings.Contains(data, `"expiry_time":"1900000000000"`) {
			b.Errorf("a save with an expiry: %s", data)
		}
	})
}

// TestExpiryGoesWithItsAccessToken has a person type an expiry that nobody understands. It
// stays while the access token does, and a new access token drops it like any other.
func TestExpiryGoesWithItsAccessToken(t *testing.T) {
	onEachForm(t, func(b *bench) {
		for _, text := range []string{`"1763900000000 "`, `"2026-01-01T00:00:00Z"`, `true`, `{"a":["b"]}`} {
			b.restorable = newRestorable()
			token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", AccessToken: "fake-access"})
			secret := b.secret(token)
			b.Edit(secret.Name, []byte(strings.Replace(string(secret.Data), "{", `{"expiry_time":`+text+`,`, 1)))
			b.save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://set.example"})
			if data := string(b.secret(token).Data); !strings.Contains(data, `"expiry_time":`+text) {
				b.Errorf("a save of the same access token has made of %s: %s", text, data)
			}
			b.save(tokenstore.OAuthToken{UserName: "fake-user", AccessToken: "fake-access-2"})
			if data := string(b.secret(token).Data); strings.Contains(data, "expiry_time") {
				b.Errorf("%s has stayed beside a new access token: %s", text, data)
			}
		}
	})
}

// TestDeletionOfARestoredToken deletes a token that a person has rolled back. Its
// tombstone must not fall back behind the generations that the token had, or releases
// of that time would take the hints of a token that is inserted over it.
func TestDeletionOfARestoredToken(t *testing.T) {
	onEachForm(t, func(b *bench) {
		generation := func() string {
			var fields struct{ Generation string }
			if err := json.Unmarshal(b.secret(tokenstore.OAuthToken{ID: "1"}).Data, &fields); err != nil {
				b.Fatal(err)
			}
			return fields.Generation // All have the same number of digits.
		}
		token := b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh"})
		before := b.secret(token)
		b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-2"})
		b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-refresh-3"})
		highest := generation()
		b.now = b.now.Add(time.Hour)
		b.restore(before)
		if err := b.process().DeleteToken(b.Context(), "1"); err != nil {
			b.Fatal(err)
		}
		if got := generation(); got <= highest {
			b.Errorf("the tombstone has generation %s, and the token had %s", got, highest)
		}
		b.foundByAll("inserted again", b.save(token))
	})
}

// TestRepairListsDamage loses the index beside a damaged token that nothing but its
// bookkeeping shows to be one. After the repair the list names it again.
func TestRepairListsDamage(t *testing.T) {
	onEachForm(t, func(b *bench) {
		for _, id := range []string{"", "1", strings.Repeat("long/", 40)} {
			b.restorable = newRestorable()
			other := b.save(tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-refresh-2"})
			token := b.save(tokenstore.OAuthToken{ID: id, UserName: "fake-user", RefreshToken: "fake-refresh"})
			b.Edit(b.secret(token).Name, []byte(`{"generation":"1700000009","created":"1700000000000000","keys":"typed"}`))
			for name, err := range b.List(b.Context(), "tokenstore/index/") {
				if err != nil {
					b.Fatal(err)
				}
				b.Remove(name)
			}
			b.repair()
			b.listed("repaired", []tokenstore.OAuthToken{other}, "none of a token's fields")
			if report := b.repair(); len(report.Unreadable) != 1 || report.KeysAdded+report.HintsRemoved != 0 {
				b.Errorf("the second repair gives %+v", report)
			}
			b.foundByAll("saved", b.save(token))
			b.repair()
			if report := b.repair(); report.KeysAdded+report.HintsRemoved+report.HintsYoung+len(report.Unreadable) != 0 {
				b.Errorf("after a save a repair gives %+v", report)
			}
		}
	})
}

// TestCopiedAndSwappedTokens has contents of tokens under other tokens' names.
func TestCopiedAndSwappedTokens(t *testing.T) {
	onEachForm(t, func(b *bench) {
		ctx := b.Context()
		first := b.save(tokenstore.OAuthToken{UserName: "fake-user-1", RefreshToken: "fake-refresh-1"})
		second := b.save(tokenstore.OAuthToken{ID: "2", UserName: "fake-user-2", RefreshToken: "fake-refresh-2"})
		one, two := b.secret(first), b.secret(second)
		copied := b.process().SecretName("copy")

		b.Edit(copied, one.Data)
		if _, err := b.process().FindTokenByID(ctx, "copy"); !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), "another token") {
			b.Errorf("a copy: a find gives %v", err)
		}
		if report := b.repair(); len(report.Unreadable) != 1 || report.Foreign != 0 || report.Tokens != 2 {
			b.Errorf("a copy: the repair gives %+v", report)
		}
		b.foundByAll("with a copy", first)
		if err := b.process().DeleteToken(ctx, "copy"); err != nil {
			b.Error(err)
		}
		b.foundByAll("after the copy was deleted", first)

		b.Edit(one.Name, two.Data)
		b.Edit(two.Name, one.Data)
		b.unreadable("swapped", first.ID, tokenstore.KeysOf(first), one.Name, "another token")
		b.unreadable("swapped", second.ID, tokenstore.KeysOf(second), two.Name, "another token")
		b.listed("swapped", nil, one.Name, two.Name)
		b.repair()
		b.Edit(one.Name, one.Data)
		b.Edit(two.Name, two.Data)
		b.foundByAll("swapped back", first)
		b.foundByAll("swapped back", second)
		b.listed("swapped back", []tokenstore.OAuthToken{first, second})

		b.Edit(one.Name, two.Data)
		b.Edit(two.Name, one.Data)
		if saved := b.save(first); saved != first {
			b.Errorf("a save of all its fields gives %v", saved)
		}
		if saved := b.save(second); saved != second {
			b.Errorf("a save of all its fields gives %v", saved)
		}
		b.foundByAll("saved", first)
		b.foundByAll("saved", second)
		b.listed("saved", []tokenstore.OAuthToken{first, second})
	})
}

// TestRenamedToken has a person move a token's secret to another name, whose ID it then
// has, or no ID at all. Its keys are not claimed for that ID: the next save has to.
func TestRenamedToken(t *testing.T) {
	for what, id := range map[string]string{"with its new ID": `"id":"new"`, "without an ID": `"old_id":"old"`} {
		t.Run(what, func(t *testing.T) {
			onEachForm(t, func(b *bench) {
				old := b.save(tokenstore.OAuthToken{ID: "old", UserName: "fake-user", RefreshToken: "fake-refresh"})
				secret := b.secret(old)
				b.Remove(secret.Name)
				b.Edit(b.process().SecretName("new"), []byte(strings.Replace(string(secret.Data), `"id":"old"`, id, 1)))
				want := old
				want.ID = "new"
				if found, err := b.process().FindTokenByID(b.Context(), "new"); err != nil || found != want {
					b.Errorf("renamed: %v, %v", found, err)
				}
				want.APIDomain = "https://set.example"
				if saved := b.save(tokenstore.OAuthToken{ID: "new", APIDomain: "https://set.example"}); saved != want {
					b.Errorf("a save gives %v", saved)
				}
				b.foundByAll("saved", want)
				b.listed("saved", []tokenstore.OAuthToken{want})
			})
		})
	}
}

// TestRestoredTokens has a person put older data back: the next save claims all keys.
func TestRestoredTokens(t *testing.T) {
	onEachForm(t, func(b *bench) {
		ctx := b.Context()
		b.save(tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-refresh-other"})
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r1", GrantToken: "fake-grant"})
		before := b.secret(token)
		b.now = b.now.Add(time.Hour)
		b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r2"})
		b.now = b.now.Add(time.Hour)
		b.restore(before)
		saved := b.save(tokenstore.OAuthToken{UserName: "fake-user", AccessToken: "fake-access"})
		if saved.RefreshToken != "fake-r1" {
			b.Errorf("the save gives %v", saved)
		}
		b.foundByAll("rolled back and saved", saved)
		if again := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r1", APIDomain: "https://set.example"}); again.ID != token.ID {
			b.Errorf("a save by the restored key goes to %v", again)
		}

		b.save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://set.example"})
		before = b.secret(token)
		if err := b.process().DeleteToken(ctx, token.ID); err != nil {
			b.Fatal(err)
		}
		b.restore(before)
		saved = b.save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://recovered.example"})
		b.foundByAll("recovered and saved", saved)
		if tokens, err := b.process().GetTokens(ctx); err != nil || len(tokens) != 2 {
			b.Errorf("recovered and saved: %d tokens, %v", len(tokens), err)
		}
	})
}

// TestRollbackThatThisProcessSees has a service that does not report a rollback, and a
// process that has seen the later generation.
func TestRollbackThatThisProcessSees(t *testing.T) {
	onEachForm(t, func(b *bench) {
		ctx, store := b.Context(), b.process()
		save := func(token tokenstore.OAuthToken) tokenstore.OAuthToken {
			b.Helper()
			saved, err := store.SaveToken(ctx, client(token))
			if err != nil {
				b.Fatal(err)
			}
			return saved
		}
		token := save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r1"})
		before := b.secret(token)
		save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r2"})
		b.Edit(before.Name, before.Data)
		saved := save(tokenstore.OAuthToken{UserName: "fake-user", AccessToken: "fake-access"})
		b.foundByAll("rolled back and saved", saved)

		before = b.secret(token)
		if err := store.DeleteToken(ctx, token.ID); err != nil {
			b.Fatal(err)
		}
		b.Edit(before.Name, before.Data)
		saved = save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://recovered.example"})
		b.foundByAll("recovered and saved", saved)
		b.listed("recovered and saved", []tokenstore.OAuthToken{saved})
	})
}

// TestFenceHidesNoEdit has a save of another token fence a restored one, which rewrites
// it: it must still count as restored.
func TestFenceHidesNoEdit(t *testing.T) {
	onEachForm(t, func(b *bench) {
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r1"})
		before := b.secret(token)
		b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-r2"})
		b.now = b.now.Add(time.Hour)
		b.restore(before)
		// The hint of fake-r2 leads to the token, which does not have that key.
		other := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r2"})
		if other.ID == token.ID {
			b.Fatal("the save went to the restored token")
		}
		if now := b.secret(token); now.Revision == before.Revision || now.Restored {
			b.Fatal("the token was not fenced")
		}
		b.listed("fenced", []tokenstore.OAuthToken{token, other})
		b.foundByAll("fenced and saved", b.save(tokenstore.OAuthToken{UserName: "fake-user", APIDomain: "https://set.example"}))
	})
}

// TestLastHintStays has a person recover a token undetected: no process has seen it, and
// the service does not report it. A save by a key that it once had must not remove the
// hint by which it is listed.
func TestLastHintStays(t *testing.T) {
	onEachForm(t, func(b *bench) {
		ctx := b.Context()
		token := b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-r1"})
		before := b.secret(token)
		b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-r2"})
		b.Edit(before.Name, before.Data)
		other := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r2"})
		if other.ID == token.ID {
			b.Fatal("the save went to the token that was put back")
		}
		if tokens, err := b.process().GetTokens(ctx); err != nil || len(tokens) != 2 {
			b.Errorf("%d tokens are listed, %v", len(tokens), err)
		}
	})
}

// TestHintsOfAnEditedTokenStay has a person change a key of a token, another save take
// the key over, and the person change it back: the hint that there was must still be
// there, though the token has others.
func TestHintsOfAnEditedTokenStay(t *testing.T) {
	onEachForm(t, func(b *bench) {
		token := b.save(tokenstore.OAuthToken{ID: "1", RefreshToken: "fake-r1", GrantToken: "fake-grant"})
		secret := b.secret(token)
		b.Edit(secret.Name, []byte(strings.Replace(string(secret.Data), "fake-r1", "fake-r2", 1)))
		other := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r1"})
		if other.ID == token.ID {
			b.Fatal("the save went to the edited token")
		}
		if err := b.process().DeleteToken(b.Context(), other.ID); err != nil {
			b.Fatal(err)
		}
		b.Edit(secret.Name, []byte(strings.Replace(string(b.secret(token).Data), "fake-r2", "fake-r1", 1)))
		b.foundByAll("edited and edited back", token)
	})
}

// TestRepairKeepsTheHintsOfDamage keeps the hints of a damaged token through repairs until it
// is deleted.
func TestRepairKeepsTheHintsOfDamage(t *testing.T) {
	onEachForm(t, func(b *bench) {
		token := b.save(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		b.write(token, map[string]string{"refresh_token": "fake-typed"})
		for range 3 {
			b.repair()
		}
		b.unreadable("repaired", token.ID, tokenstore.KeysOf(token), "user_name")
		if err := b.process().DeleteToken(b.Context(), token.ID); err != nil {
			b.Fatal(err)
		}
		b.repair()
		b.repair()
		report, err := b.process().Check(b.Context())
		if err != nil || report.HintsRemoved+report.HintsYoung+report.Tombstones+len(report.Unreadable) != 0 {
			b.Errorf("after the deletion the repair leaves %+v, %v", report, err)
		}
	})
}

// TestRestoredIndexHidesNoToken puts the index back as it was before a token was saved.
// Until a repair, lists ask the service too, and a check says so.
func TestRestoredIndexHidesNoToken(t *testing.T) {
	onEachForm(t, func(b *bench) {
		first := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r1"})
		var old []driver.Secret
		for name, err := range b.List(b.Context(), "tokenstore/index/") {
			if err != nil {
				b.Fatal(err)
			}
			secret, err := b.Get(b.Context(), name)
			if err != nil {
				b.Fatal(err)
			}
			old = append(old, secret)
		}
		second := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r2"})
		for _, secret := range old {
			b.restore(secret)
		}
		b.listed("put back", []tokenstore.OAuthToken{first, second})
		third := b.save(tokenstore.OAuthToken{RefreshToken: "fake-r3"}) // The service forgets what was restored.
		all := []tokenstore.OAuthToken{first, second, third}
		b.listed("put back, and written", all)

		root := func(s driver.Secret) bool { return s.Name == "tokenstore/index/root" }
		if got, want := b.indexLacks(), slices.ContainsFunc(old, root); got != want {
			b.Errorf("the check warns: %v, want %v", got, want)
		}
		b.repair()
		if b.indexLacks() {
			b.Error("the check warns after a repair")
		}
		b.listed("repaired", all)
		for _, token := range all {
			b.foundByAll("repaired", token)
		}
	})
}

// indexLacks reports whether a check warns of an index that was put back.
func (b *bench) indexLacks() bool {
	b.Helper()
	report, err := b.process().Check(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, "an older version was put back") })
}

// TestBatchTakesADerivedName: a secret that one token of a batch takes for a stranger's is
// the store's for another token, from whose user its name is derived, as in single saves.
func TestBatchTakesADerivedName(t *testing.T) {
	onEachForm(t, func(b *bench) {
		tokens := []tokenstore.OAuthToken{{AccessToken: "fake-a1"}, {UserName: "fake-user", AccessToken: "fake-a2"}}
		derived := (&bench{b.T, newRestorable(), b.now, b.form}).save(tokens[1]).ID
		b.Edit(b.process().SecretName(derived), []byte(`{"password":"fake"}`))
		saved, err := b.process().SaveTokens(b.Context(), tokens)
		if err != nil || len(saved) != 2 || saved[1].ID != derived {
			b.Errorf("saved %v, %v, want the second as %s", saved, err, derived)
		}
	})
}
