// Package rowstoretest has the tests that stores over rows share beyond package
// conformance: such stores save all tokens of a batch or none.
package rowstoretest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
)

// Batcher is a store that saves many tokens, all or none.
type Batcher interface {
	tokenstore.Store
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// SaveTokens compares a batch of random tokens with the same saves one by one, on random
// stores. Both must give the same tokens with the same IDs, or the same errors in the
// same places and nothing saved. The stores must refuse the refresh token "refused".
func SaveTokens(t *testing.T, rounds int, newStore func(t *testing.T) Batcher) {
	failed := 0
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 20261128)) //nolint:gosec // The seed makes it reproducible.
		one, many := newStore(t), newStore(t)
		before := someTokens(random, random.IntN(4), false)
		for _, token := range before {
			for _, s := range []Batcher{one, many} {
				if _, err := s.SaveToken(t.Context(), token); err != nil && !errors.Is(err, tokenstore.ErrInvalidToken) {
					t.Fatalf("round %d: %v", round, err)
				}
			}
		}
		stored, err := many.GetTokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tokens := someTokens(random, random.IntN(8), random.IntN(2) == 0)
		saved, err := many.SaveTokens(t.Context(), slices.Clone(tokens))
		want, faults := oneByOne(t, one, tokens)
		if len(faults) > 0 {
			failed++
			compareFaults(t, round, len(tokens), err, faults)
			want = stored
			if saved != nil {
				t.Errorf("round %d: %d tokens were returned, but none was saved", round, len(saved))
			}
		} else {
			if err != nil || !slices.Equal(saved, want) {
				t.Errorf("round %d: saved together %v, %v\none by one %v", round, saved, err, want)
			}
			if want, err = one.GetTokens(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := many.GetTokens(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("round %d: stored %v, %v\nwant %v", round, got, err, want)
		}
		if t.Failed() {
			return
		}
	}
	if failed < rounds/10 || failed > rounds*9/10 {
		t.Errorf("%d of %d rounds had errors: the tokens are not mixed as they should be", failed, rounds)
	}
}

// oneByOne saves tokens one by one, and returns the saved tokens and the errors, each in
// its place.
func oneByOne(t *testing.T, s Batcher, tokens []tokenstore.OAuthToken) (saved []tokenstore.OAuthToken, faults map[int]error) {
	t.Helper()
	faults = map[int]error{}
	for i, token := range tokens {
		stored, err := s.SaveToken(t.Context(), token)
		if err != nil {
			faults[i] = err
		}
		saved = append(saved, stored)
	}
	return saved, faults
}

// compareFaults compares the joined errors of a batch with those of the saves one by one.
func compareFaults(t *testing.T, round, of int, err error, want map[int]error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != len(want) {
		t.Errorf("round %d: %v\nwant the %d errors of %v", round, err, len(want), want)
		return
	}
	var got []string
	for _, e := range joined.Unwrap() {
		got = append(got, e.Error())
	}
	for i := range of {
		if want[i] == nil {
			continue
		}
		expected := strings.Replace(want[i].Error(), "save token", fmt.Sprintf("save token %d of %d", i+1, of), 1)
		if got[0] != expected || tokenstore.Kind(joined.Unwrap()[0]) == nil {
			t.Errorf("round %d: error %q, want %q", round, got[0], expected)
		}
		if got = got[1:]; len(got) == 0 {
			return
		}
	}
}

// someTokens returns tokens that share many values.
func someTokens(random *rand.Rand, n int, spoiled bool) (tokens []tokenstore.OAuthToken) {
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	for range n {
		token := tokenstore.OAuthToken{
			ID: pick("", "", "", "1", "2", "3", "x"), UserName: pick("", "", "u1", "u2"),
			RefreshToken: pick("", "r1", "r2", "r3"), AccessToken: pick("", "", "a1", "a2"), GrantToken: pick("", "", "g1"),
			APIDomain:   pick("", "", "https://www.zohoapis.eu", "https://www.zohoapis.in"),
			RedirectURL: pick("", "", "", `a"b`, "a,b", "null"),
		}
		if random.IntN(3) > 0 {
			token.ClientID, token.ClientSecret = "c", "s"
		}
		if random.IntN(3) == 0 {
			token.Expiry = time.UnixMilli(1763900000000 + random.Int64N(3)).UTC()
		}
		if !spoiled && token.RefreshToken == "" && token.AccessToken == "" && token.GrantToken == "" {
			token.RefreshToken = "r4"
		}
		if spoiled && random.IntN(4) == 0 {
			token.RefreshToken = "refused"
		}
		tokens = append(tokens, token)
	}
	return tokens
}
