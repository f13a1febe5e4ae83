package secretstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestEditedTokenStaysListed has a person change the only key of a token, and then saves
// another token with the old key. A document index is the list of all tokens, so it must
// not lose its last hint of the first one.
func TestEditedTokenStaysListed(t *testing.T) {
	secrets := memory.New()
	store, err := secretstore.New(secrets, secretstore.WithDocument(1), noWait)
	if err != nil {
		t.Fatal(err)
	}
	withClient := tokenstore.OAuthToken{ClientID: "fake-client", ClientSecret: "fake-secret"}
	before, edited := withClient, withClient
	before.RefreshToken, edited.RefreshToken = "fake-refresh-1", "fake-refresh-2"
	first, err := store.SaveToken(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + first.ID
	secret, err := secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Edit(name, []byte(strings.ReplaceAll(string(secret.Data), before.RefreshToken, edited.RefreshToken)))
	second, err := store.SaveToken(t.Context(), before)
	if err != nil || second.ID == first.ID {
		t.Fatalf("a save by the earlier key goes to the edited token, or fails: %v", err)
	}
	if tokens, err := store.GetTokens(t.Context()); err != nil || len(tokens) != 2 {
		t.Errorf("%d tokens are listed, not 2: %v", len(tokens), err)
	}
	if found, err := store.FindToken(t.Context(), edited); err != nil || found.ID != first.ID {
		t.Errorf("the edited token is not found by its new key: %v", err)
	}
}

// TestTokenWithoutKeysStaysListed has a person remove every key of a token: it
// is found by its ID, and listed, whatever a repair or a save then removes from
// the index, and also once the index is lost and built again.
func TestTokenWithoutKeysStaysListed(t *testing.T) {
	ctx, secrets, now := t.Context(), memory.New(), time.Unix(1_700_000_000, 0)
	clock := secretstore.WithClock(func() time.Time { return now })
	store := open(t, secrets, secretstore.WithDocument(1), clock)
	token := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh", APIDomain: "https://api.example"})
	token, err := store.SaveToken(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	// With another one in the index, the index is not considered lost.
	beside, err := store.SaveToken(ctx, client(tokenstore.OAuthToken{UserName: "fake-other", RefreshToken: "fake-other-refresh"}))
	if err != nil {
		t.Fatal(err)
	}
	name := "tokenstore/tokens/" + token.ID
	secret, err := secrets.Get(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"fake-user"`, `""`, `"fake-refresh"`, `""`).Replace(string(secret.Data))
	secrets.Edit(name, []byte(text))
	token.UserName, token.RefreshToken = "", ""

	listed := func(after string, want tokenstore.OAuthToken) {
		t.Helper()
		store := open(t, secrets, secretstore.WithDocument(1), clock)
		if tokens, err := store.GetTokens(ctx); err != nil || !slices.Equal(tokens, []tokenstore.OAuthToken{want, beside}) {
			t.Errorf("after %s, %d tokens are listed, and %v; not the one", after, len(tokens), err)
		}
	}
	repair := func() {
		t.Helper()
		now = now.Add(48 * time.Hour)
		if _, err := store.Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
			t.Fatal(err)
		}
		if report, err := store.Check(ctx); err != nil || report.KeysAdded+report.HintsRemoved > 0 {
			t.Errorf("a repair left something to do: %+v, %v", report, err)
		}
	}
	listed("the edit", token)
	repair()
	listed("a repair", token)
	token.APIDomain = "https://other.example"
	if _, err := store.SaveToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	repair()
	listed("a save", token)
	if err := secrets.Delete(ctx, "tokenstore/index/root", revisionOf(t, secrets, "tokenstore/index/root")); err != nil {
		t.Fatal(err)
	}
	repair()
	listed("the loss of the index", token)
	token.RefreshToken = "fake-refresh-2"
	if _, err := store.SaveToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	if report, err := store.Check(ctx); err != nil || report.KeysAdded+report.HintsRemoved+report.HintsYoung > 0 {
		t.Errorf("a save with a new key left something to do: %+v, %v", report, err)
	}
	listed("a save with a new key", token)
}

func revisionOf(t *testing.T, secrets driver.Secrets, name string) string {
	t.Helper()
	secret, err := secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Revision
}

// TestGenerationOfAPerson has a person write generations that no store would.
// The token can still be saved, read and deleted.
func TestGenerationOfAPerson(t *testing.T) {
	for _, generation := range []string{"-1", "many", "9007199254740993", "9223372036854775807", "99999999999999999999"} {
		ctx, secrets := t.Context(), memory.New()
		token := client(tokenstore.OAuthToken{ID: "1", UserName: "fake-user", RefreshToken: "fake-refresh-1"})
		if _, err := open(t, secrets).SaveToken(ctx, token); err != nil {
			t.Fatal(err)
		}
		name := "tokenstore/tokens/1"
		secret, err := secrets.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		secrets.Edit(name, []byte(strings.Replace(string(secret.Data), `"generation":"`, `"generation":"`+generation+`","was":"`, 1)))
		store := open(t, secrets)
		token.RefreshToken = "fake-refresh-2"
		for range 2 {
			if saved, err := store.SaveToken(ctx, token); err != nil || saved != token {
				t.Errorf("generation %s: a save gives %v, %v", generation, saved, err)
			}
			token.RefreshToken += "3"
		}
		if err := store.DeleteToken(ctx, "1"); err != nil {
			t.Errorf("generation %s: a deletion gives %v", generation, err)
		}
	}
}

// TestUnreadableTokenOfAUser has a person break a user's token while the index
// is lost. The token is not absent, and the user must not get a second one: the user's
// next save repairs it.
func TestUnreadableTokenOfAUser(t *testing.T) {
	for name, form := range forms {
		ctx, secrets := t.Context(), memory.New()
		token := client(tokenstore.OAuthToken{UserName: "fake-user", RefreshToken: "fake-refresh"})
		saved, err := open(t, secrets, form...).SaveToken(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		for index, err := range secrets.List(ctx, "tokenstore/index/") {
			if err != nil {
				t.Fatal(err)
			}
			secrets.Remove(index)
		}
		secrets.Edit("tokenstore/tokens/"+saved.ID, []byte("{"))
		store := open(t, secrets, form...)
		if _, err := store.FindToken(ctx, token); !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("%s: a find gives %v", name, err)
		}
		if again, err := store.SaveToken(ctx, token); err != nil || again != saved {
			t.Errorf("%s: a save gives %v, %v", name, again, err)
		}
		if tokens, err := store.GetTokens(ctx); err != nil || !slices.Equal(tokens, []tokenstore.OAuthToken{saved}) {
			t.Errorf("%s: after the save there are %d tokens, %v", name, len(tokens), err)
		}
	}
}
