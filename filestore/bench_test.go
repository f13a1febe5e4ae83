package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
)

// BenchmarkStore measures by the number of tokens: a find in a file that nobody changes reads no more than the
// file's state; a save rewrites the file.
func BenchmarkStore(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		store := filled(b, n)
		last := tokenstore.OAuthToken{UserName: fmt.Sprintf("user-%d", n)}
		b.Run(fmt.Sprintf("find/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := store.FindToken(b.Context(), last); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("list/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := store.GetTokens(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("save/%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				last.AccessToken = fmt.Sprintf("1000.fake-%d", i)
				if _, err := store.SaveToken(b.Context(), last); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// filled returns a store over a file with n tokens.
func filled(b *testing.B, n int) *filestore.Store {
	b.Helper()
	var text strings.Builder
	text.WriteString("id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,api_domain\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&text, "%d,user-%d,1000.CLIENT,cs-fake,1000.fake-refresh-%d,1000.fake-access-%d,,1763900000000,,https://www.zohoapis.com\n", i, i, i, i)
	}
	path := filepath.Join(b.TempDir(), "tokens.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		b.Fatal(err)
	}
	store, err := filestore.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// BenchmarkHostile reads files that are made to be slow to read: the time grows with
// their size, and not with its square.
func BenchmarkHostile(b *testing.B) {
	for name, unit := range filestore.Hostile {
		for _, megabytes := range []int{1, 5, 10} {
			b.Run(fmt.Sprintf("%s/%dMB", strings.ReplaceAll(name, " ", "-"), megabytes), func(b *testing.B) {
				data := filestore.HostileFile(unit, megabytes*1_000_000, true)
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := filestore.Read(b.Context(), bytes.NewReader(data)); errors.Is(err, context.Canceled) {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
