package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
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

// BenchmarkFind measures finds in a table of 10,000 tokens, and beside them what a program would do by itself:
// a prepared statement of the same driver, in a file of the same kind.
func BenchmarkFind(b *testing.B) {
	const n = 10_000
	s := filled(b, n)
	finds := func(name string, query func(k string) tokenstore.OAuthToken) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.FindToken(b.Context(), query(strconv.Itoa(i*7919%n+1))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	finds("id", func(k string) tokenstore.OAuthToken { return tokenstore.OAuthToken{ID: k} })
	finds("user", func(k string) tokenstore.OAuthToken { return tokenstore.OAuthToken{UserName: "user-" + k} })
	finds("id-user", func(k string) tokenstore.OAuthToken { return tokenstore.OAuthToken{ID: "x" + k, UserName: "user-" + k} })
	finds("refresh", func(k string) tokenstore.OAuthToken {
		return tokenstore.OAuthToken{RefreshToken: "refresh-" + k, ClientID: "c", ClientSecret: "s"}
	})
	b.Run("prepared", func(b *testing.B) {
		stmt, err := s.DB().Prepare("SELECT id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, expiry_time, redirect_url, api_domain " +
			"FROM oauthtoken WHERE user_name = ?")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = stmt.Close() }()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var row [10]sql.NullString
			err := stmt.QueryRowContext(b.Context(), "user-"+strconv.Itoa(i*7919%n+1)).Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6], &row[7], &row[8], &row[9])
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("save", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, err := s.SaveToken(b.Context(), tokenstore.OAuthToken{UserName: "user-" + strconv.Itoa(i*7919%n+1), AccessToken: "fresh-" + strconv.Itoa(i)})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
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
