package secretstore_test

import (
	"fmt"
	"testing"

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
