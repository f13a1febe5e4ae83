package secretstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// benchForms are the forms of an index that are measured.
var benchForms = map[string][]secretstore.Option{
	"entries":      {secretstore.WithEntries()},
	"16 documents": {secretstore.WithDocument(16), secretstore.WithoutAccessIndex()},
}

// benchStore returns a store of n tokens.
func benchStore(b *testing.B, n int, form []secretstore.Option) *secretstore.Store {
	b.Helper()
	store := open(b, memory.New().Batched(), form...)
	if _, err := store.SaveTokens(b.Context(), newTokens(n)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return store
}

func benchmark(b *testing.B, n int, do func(b *testing.B, s *secretstore.Store, i int) error) {
	for name, form := range benchForms {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			store := benchStore(b, n, form)
			for i := 0; b.Loop(); i++ {
				if err := do(b, store, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFindByUser(b *testing.B) {
	benchmark(b, 1000, func(b *testing.B, s *secretstore.Store, i int) error {
		_, err := s.FindToken(b.Context(), tokenstore.OAuthToken{UserName: fmt.Sprintf("new%d", i%1000)})
		return err
	})
}

func BenchmarkFindByRefreshToken(b *testing.B) {
	benchmark(b, 1000, func(b *testing.B, s *secretstore.Store, i int) error {
		_, err := s.FindToken(b.Context(), client(tokenstore.OAuthToken{RefreshToken: fmt.Sprintf("new-refresh%d", i%1000)}))
		return err
	})
}

// BenchmarkFindsInOneDocument has the hints of 1,000 tokens, about 64 KiB, in one document that
// nobody writes between the finds.
func BenchmarkFindsInOneDocument(b *testing.B) {
	store := open(b, memory.New(), secretstore.WithDocument(1), secretstore.WithoutAccessIndex())
	if _, err := store.SaveTokens(b.Context(), newTokens(1000)); err != nil {
		b.Fatal(err)
	}
	for name, query := range map[string]func(n int) tokenstore.OAuthToken{
		"by user": func(n int) tokenstore.OAuthToken { return tokenstore.OAuthToken{UserName: fmt.Sprintf("new%d", n)} },
		"by refresh token": func(n int) tokenstore.OAuthToken {
			return client(tokenstore.OAuthToken{RefreshToken: fmt.Sprintf("new-refresh%d", n)})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := store.FindToken(b.Context(), query(i%1000)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFindLongToken finds a token with all fields, in the lengths that Zoho gives them:
// as the store writes it, and as a person leaves it in an editor.
func BenchmarkFindLongToken(b *testing.B) {
	token := tokenstore.OAuthToken{
		UserName: "somebody.with.a.name@example.com:60012345678", ClientID: "1000." + strings.Repeat("C", 30), ClientSecret: strings.Repeat("5", 42),
		RefreshToken: "1000." + strings.Repeat("r", 32) + "." + strings.Repeat("f", 32), AccessToken: "1000." + strings.Repeat("a", 32) + "." + strings.Repeat("c", 32),
		GrantToken: "1000." + strings.Repeat("g", 32) + "." + strings.Repeat("d", 32), RedirectURL: "https://example.com/oauth/callback", APIDomain: "https://www.zohoapis.eu",
		Expiry: time.UnixMilli(1_800_000_000_000),
	}
	for _, edited := range []bool{false, true} {
		b.Run(fmt.Sprintf("edited=%v", edited), func(b *testing.B) {
			secrets := memory.New()
			store := open(b, secrets)
			saved, err := store.SaveToken(b.Context(), token)
			if err != nil {
				b.Fatal(err)
			}
			if edited {
				name := "tokenstore/tokens/" + saved.ID
				secret, err := secrets.Get(b.Context(), name)
				if err != nil {
					b.Fatal(err)
				}
				var indented bytes.Buffer
				if err := json.Indent(&indented, bytes.Replace(secret.Data, []byte("{"), []byte(`{"user note":"by \"hand\"",`), 1), "", "  "); err != nil {
					b.Fatal(err)
				}
				secrets.Edit(name, indented.Bytes())
			}
			find := func() {
				if found, err := store.FindToken(b.Context(), tokenstore.OAuthToken{UserName: token.UserName}); err != nil || found.APIDomain != token.APIDomain {
					b.Fatal(found, err)
				}
			}
			find() // The first find after an edit makes sure that it is no stale answer.
			b.ReportAllocs()
			for b.Loop() {
				find()
			}
		})
	}
}

func BenchmarkSaveAfterRefresh(b *testing.B) {
	benchmark(b, 1000, func(b *testing.B, s *secretstore.Store, i int) error {
		_, err := s.SaveToken(b.Context(), tokenstore.OAuthToken{UserName: fmt.Sprintf("new%d", i%1000), AccessToken: fmt.Sprintf("access%d", i)})
		return err
	})
}

func BenchmarkGetTokens(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		benchmark(b, n, func(b *testing.B, s *secretstore.Store, _ int) error {
			all, err := s.GetTokens(b.Context())
			if err == nil && len(all) != n {
				err = fmt.Errorf("%d tokens, want %d", len(all), n)
			}
			return err
		})
	}
}

// BenchmarkSaveTokens saves and deletes new tokens, as fast as a service in memory answers.
func BenchmarkSaveTokens(b *testing.B) {
	for _, n := range []int{1_000, 5_000} {
		benchmark(b, n, func(b *testing.B, s *secretstore.Store, _ int) error {
			if err := s.DeleteTokens(b.Context()); err != nil {
				return err
			}
			_, err := s.SaveTokens(b.Context(), newTokens(n))
			return err
		})
	}
}
