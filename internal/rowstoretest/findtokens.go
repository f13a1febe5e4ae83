// Many finds in one call.

package rowstoretest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"example.com/tokenstore"
)

// Finder is a store that finds many tokens in one call.
type Finder interface {
	tokenstore.Store
	FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// FindTokens compares many finds in one call with the same finds one by one, in a store that
// is filled with n random tokens, whose keys are those of several.
func FindTokens(t *testing.T, s Finder, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(n), 20261129)) //nolint:gosec // The seed makes it reproducible.
	pick := func(prefix string, of int) string {
		if random.IntN(3) == 0 {
			return ""
		}
		return fmt.Sprint(prefix, random.IntN(of))
	}
	token := func() tokenstore.OAuthToken {
		some := tokenstore.OAuthToken{
			UserName: pick("u", 2*n), RefreshToken: pick("r", n), AccessToken: pick("a", n), GrantToken: pick("g", n),
		}
		if random.IntN(2) == 0 {
			some.ClientID, some.ClientSecret = "c", "s"
		}
		return some
	}
	for range n {
		some := token()
		some.RedirectURL = "x"
		if some.RefreshToken+some.AccessToken+some.GrantToken == "" {
			some.RefreshToken = "r"
		}
		if _, err := s.SaveToken(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
	var queries []tokenstore.OAuthToken
	for i := range 3*n + 700 { // More than are found in one transaction.
		query := token()
		if i%3 == 0 {
			query.ID = fmt.Sprint(random.IntN(2 * n))
		}
		queries = append(queries, query)
	}
	found, err := s.FindTokens(t.Context(), queries)
	if err != nil || len(found) != len(queries) {
		t.Fatalf("%d tokens for %d queries, %v", len(found), len(queries), err)
	}
	hits := 0
	for i, query := range queries {
		want, err := s.FindToken(t.Context(), query)
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			t.Fatal(err)
		}
		if found[i] != want {
			t.Fatalf("query %d, %v: found %v, want %v", i+1, query, found[i], want)
		}
		if err == nil {
			hits++
		}
	}
	if hits < len(queries)/5 || hits > len(queries)*9/10 {
		t.Errorf("%d of %d finds found something: the queries are not mixed as they should be", hits, len(queries))
	}
}
