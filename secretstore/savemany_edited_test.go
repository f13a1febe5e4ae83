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
