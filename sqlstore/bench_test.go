package sqlstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// filled returns a store with n tokens, user-1 to user-n, whose IDs are 1 to n.
func filled(b *testing.B, n int) *sqlstore.Store {
	b.Helper()
	s := open(b, filepath.Join(quickFolder(b), "tokens.db"))
	_, err := s.DB().Exec(`with recursive n(x) as (values(1) union all select x+1 from n where x < ?)
		insert into oauthtoken select x, 'user-'||x, 'client', 'secret', 'refresh-'||x, 'access-'||x, 'grant-'||x,
		'1763900000000', 'https://zylker.example/', 'https://www.zohoapis.eu' from n`, n)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkStore measures each operation at three sizes. A find costs the same
// at all of them.
func BenchmarkStore(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{10, 1_000, 100_000} {
		s := filled(b, n)
		bench := func(name string, call func(i int) error) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				i := 0
				for b.Loop() {
					i++
					if err := call(i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		finds := func(name string, query func(k int) tokenstore.OAuthToken) {
			bench("find-"+name, func(i int) error { _, err := s.FindToken(ctx, query(i*7919%n+1)); return err })
		}
		finds("id", func(k int) tokenstore.OAuthToken { return tokenstore.OAuthToken{ID: fmt.Sprint(k)} })
		finds("user", func(k int) tokenstore.OAuthToken { return tokenstore.OAuthToken{UserName: fmt.Sprint("user-", k)} })
		finds("access", func(k int) tokenstore.OAuthToken { return tokenstore.OAuthToken{AccessToken: fmt.Sprint("access-", k)} })
		finds("grant", func(k int) tokenstore.OAuthToken {
			return tokenstore.OAuthToken{GrantToken: fmt.Sprint("grant-", k), ClientID: "c", ClientSecret: "s"}
		})
		finds("refresh", func(k int) tokenstore.OAuthToken {
			return tokenstore.OAuthToken{RefreshToken: fmt.Sprint("refresh-", k), ClientID: "c", ClientSecret: "s"}
		})
		bench("list", func(int) error { _, err := s.GetTokens(ctx); return err })
		bench("update", func(i int) error {
			_, err := s.SaveToken(ctx, tokenstore.OAuthToken{UserName: fmt.Sprint("user-", i*7919%n+1), AccessToken: fmt.Sprint("fresh-", i)})
			return err
		})
		inserted := 0 // Across the runs of one benchmark.
		bench("insert", func(int) error {
			inserted++
			_, err := s.SaveToken(ctx, full(fmt.Sprint("new-", inserted), fmt.Sprint("new-", inserted)))
			return err
		})
	}
}
