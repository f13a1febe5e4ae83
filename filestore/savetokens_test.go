package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/rowstoretest"
)

func TestSaveTokensSavesAllOrNone(t *testing.T) {
	store, path := opened(t, "")
	first := save(t, store, tokenstore.OAuthToken{UserName: "u1", AccessToken: "fake-1"})
	saved, err := store.SaveTokens(t.Context(), []tokenstore.OAuthToken{
		{UserName: "u2", AccessToken: "fake-2"}, {UserName: "u1", AccessToken: "fake-3"}, {UserName: "u2", AccessToken: "fake-4"},
	})
	if err != nil || len(saved) != 3 {
		t.Fatalf("%d tokens, %v", len(saved), err)
	}
	if saved[1].ID != first.ID || saved[2].ID != saved[0].ID {
		t.Errorf("IDs %s and %s, want those of the users' first tokens, %s and %s", saved[1].ID, saved[2].ID, first.ID, saved[0].ID)
	}
	rows, err := store.GetTokens(t.Context())
	if err != nil || len(rows) != 2 || rows[0] != saved[1] || rows[1] != saved[2] {
		t.Errorf("stored are %v, %v, want %v", rows, err, saved[1:])
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.SaveTokens(t.Context(), []tokenstore.OAuthToken{{UserName: "u5", AccessToken: "fake-5"}, {UserName: "no secrets"}})
	if !errors.Is(err, tokenstore.ErrInvalidToken) {
		t.Errorf("with one that cannot be saved: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a save that failed wrote the file: %v", err)
	}
}

// TestSaveTokensIsSaveTokenManyTimes goes through files of all SDKs, which differ in
// what values they can hold and how these are written.
func TestSaveTokensIsSaveTokenManyTimes(t *testing.T) {
	names := []string{
		"", "", "java.txt", "scala.txt", "csharp-linux.txt", "typescript.txt", "quote-all.txt", "header-only.txt",
		"node-sdk-8.0-filestore.txt", "python-sdk-8.0-filestore.txt", "python-2.txt", "python-no-header.txt",
	}
	rounds := 600
	if testing.Short() {
		rounds = 60
	}
	n := 0
	rowstoretest.SaveTokens(t, rounds, func(t *testing.T) rowstoretest.Batcher {
		store, _ := opened(t, names[n/2%len(names)], filestore.WithQuotes(n/2%3 > 0))
		n++
		return refusing{store}
	})
}

// refusing makes a token that no file takes of one that is marked.
type refusing struct{ *filestore.Store }

func (r refusing) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return r.Store.SaveToken(ctx, spoiled(token))
}

func (r refusing) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	for i, token := range tokens {
		tokens[i] = spoiled(token)
	}
	return r.Store.SaveTokens(ctx, tokens)
}

func spoiled(token tokenstore.OAuthToken) tokenstore.OAuthToken {
	if token.RefreshToken == "refused" {
		token.RefreshToken = "\xff"
	}
	return token
}

func TestFindTokensIsManyFinds(t *testing.T) {
	store, _ := opened(t, "")
	rowstoretest.FindTokens(t, store, 40)
}

// A batch that is looked up in an index, and that gives the file a header or another form.
func TestSaveTokensOfManyInAFileWithoutHeader(t *testing.T) {
	for _, name := range []string{"python-no-header.txt", "python-2.txt", "java.txt"} {
		store, _ := opened(t, name)
		before, err := store.GetTokens(t.Context())
		if err != nil || len(before) < 2 {
			t.Fatal(before, err)
		}
		var batch []tokenstore.OAuthToken
		for range 6 {
			batch = append(batch, before...)
		}
		batch = append(batch, tokenstore.OAuthToken{UserName: "new", AccessToken: "fake-new"})
		for _, token := range before {
			batch = append(batch, tokenstore.OAuthToken{UserName: token.UserName, ID: token.ID, AccessToken: "fake-" + token.ID})
		}
		if _, err := store.SaveTokens(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		after, err := store.GetTokens(t.Context())
		if err != nil || len(after) != len(before)+1 {
			t.Fatalf("%s: %d tokens after %d, %v", name, len(after), len(before), err)
		}
		for i, token := range before {
			if after[i].ID != token.ID || after[i].AccessToken != "fake-"+token.ID {
				t.Errorf("%s: %v is %v", name, token, after[i])
			}
		}
	}
}
