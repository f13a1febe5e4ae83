package secretstore_test

import (
	"errors"
	"slices"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// A person has given a token a user, which no index knows. The save of it in
// the middle of a call makes the user known, also to the saves after it.
func TestSaveTokensAfterAnEdit(t *testing.T) {
	secrets := memory.New()
	store, err := secretstore.New(secrets, secretstore.WithDocument(1), secretstore.WithScanLimit(0), noWait)
	if err != nil {
		t.Fatal(err)
	}
	first := tokenstore.OAuthToken{ClientID: "client", ClientSecret: "fake", RefreshToken: "1000.fake"}
	saved, err := store.SaveToken(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := secrets.Get(t.Context(), "tokenstore/tokens/"+saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret.Data = editedData(t, secret.Data, func(fields map[string]any) { fields["user_name"] = "ada" })
	if _, err := secrets.Put(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	first.AccessToken = "1000.access"
	stored, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{first, {UserName: "ada", GrantToken: "1000.grant"}})
	if err != nil {
		t.Fatal(err)
	}
	if stored[1].ID != saved.ID || stored[1].AccessToken != "1000.access" {
		t.Errorf("the second save went to %s", stored[1])
	}
}

// A person has copied tokens to the names of others, so that each of two tokens is saved
// with a key whose hint leads to the row of the other. Settling these hints must not make
// both writes fail, again and again.
func TestSaveTokensAfterCopies(t *testing.T) {
	for name, form := range map[string]secretstore.Option{"entries": secretstore.WithEntries(), "document": secretstore.WithDocument(1)} {
		t.Run(name, func(t *testing.T) {
			secrets := memory.New()
			store, err := secretstore.New(secrets, form, secretstore.WithScanLimit(0), noWait)
			if err != nil {
				t.Fatal(err)
			}
			token := func(id, refresh string) tokenstore.OAuthToken {
				return client(tokenstore.OAuthToken{ID: id, RefreshToken: refresh})
			}
			if _, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{token("1", "1000.one"), token("2", "1000.two"), token("3", "1000.three")}); err != nil {
				t.Fatal(err)
			}
			for _, copied := range [][2]string{{"2", "1"}, {"3", "2"}} {
				secret, err := secrets.Get(t.Context(), "tokenstore/tokens/"+copied[0])
				if err != nil {
					t.Fatal(err)
				}
				secrets.Edit("tokenstore/tokens/"+copied[1], secret.Data)
			}
			saved, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{token("2", "1000.one"), token("1", "1000.two")})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range saved {
				if found, err := store.FindTokenByID(t.Context(), want.ID); err != nil || found != want {
					t.Errorf("found %v, %v; saved %v", found, err, want)
				}
			}
		})
	}
}

// A person has broken a token. The first save of a call completes it, without the key by
// which the second save looks, so that the second inserts a token.
func TestSaveTokensAfterDamage(t *testing.T) {
	var outcomes [2][]tokenstore.OAuthToken
	for i := range outcomes {
		secrets := memory.New()
		store, err := secretstore.New(secrets, secretstore.WithDocument(1), secretstore.WithScanLimit(0), noWait)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.SaveToken(t.Context(), client(tokenstore.OAuthToken{ID: "1", UserName: "ada", RefreshToken: "1000.old"})); err != nil {
			t.Fatal(err)
		}
		secrets.Edit("tokenstore/tokens/1", []byte("not an object"))
		tokens := []tokenstore.OAuthToken{
			client(tokenstore.OAuthToken{ID: "1", UserName: "ada", RefreshToken: "1000.new"}),
			client(tokenstore.OAuthToken{RefreshToken: "1000.old", AccessToken: "1000.access"}),
		}
		if i == 0 {
			for _, token := range tokens {
				saved, err := store.SaveToken(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				outcomes[i] = append(outcomes[i], saved)
			}
		} else if outcomes[i], err = store.SaveTokens(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(outcomes[0], outcomes[1]) {
		t.Errorf("one by one: %v, together: %v", outcomes[0], outcomes[1])
	}
}

// A person has broken a token. The second save of a call fails, since that token may be the
// one that is meant; the last one, which completes it, must not happen before.
func TestSaveTokensBeforeDamageIsMended(t *testing.T) {
	secrets := memory.New()
	store, err := secretstore.New(secrets, secretstore.WithDocument(1), secretstore.WithScanLimit(0), noWait)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.SaveToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: "1000.refresh", GrantToken: "1000.grant"}))
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit("tokenstore/tokens/"+saved.ID, []byte("not an object"))
	stored, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		client(tokenstore.OAuthToken{UserName: "ada", RefreshToken: "1000.other"}),
		client(tokenstore.OAuthToken{GrantToken: "1000.grant"}),
		client(tokenstore.OAuthToken{RefreshToken: "1000.refresh"}),
	})
	if !errors.Is(err, tokenstore.ErrUnreadable) || stored[0].ID == "" || stored[1].ID != "" || stored[2].ID != saved.ID {
		t.Errorf("%v, %v", stored, err)
	}
}
