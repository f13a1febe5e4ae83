package secretstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// forms are the forms of an index.
var bothForms = map[string][]secretstore.Option{"entries": nil, "documents": {secretstore.WithDocument(4)}}

// TestFindTokensIsManyFinds compares it with finds one by one, of stores and queries of few
// values.
func TestFindTokensIsManyFinds(t *testing.T) {
	for form, options := range bothForms {
		for seed := range 60 {
			random := rand.New(rand.NewPCG(uint64(seed), 3))
			pick := func(name string, n int) string {
				if k := random.IntN(n); k > 0 {
					return fmt.Sprint("fake-", name, "-", k)
				}
				return ""
			}
			draw := func() tokenstore.OAuthToken {
				token := tokenstore.OAuthToken{ID: pick("id", 4), UserName: pick("user", 4), RefreshToken: pick("refresh", 4), GrantToken: pick("grant", 3), AccessToken: pick("access", 4)}
				if random.IntN(3) > 0 {
					token = client(token)
				}
				return token
			}
			secrets := stored(t, 3, options...)
			store := open(t, secrets, options...)
			for range 5 {
				_, _ = store.SaveToken(t.Context(), draw()) // One without a credential is refused.
			}
			queries := make([]tokenstore.OAuthToken, 8)
			for i := range queries {
				queries[i] = draw()
			}
			reader, single := open(t, secrets, options...), open(t, secrets, options...)
			found, err := reader.FindTokens(t.Context(), queries)
			if err != nil {
				t.Fatal(err)
			}
			for i, query := range queries {
				want, err := single.FindToken(t.Context(), query)
				if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
					t.Fatal(err)
				}
				if found[i] != want {
					t.Errorf("%s, seed %d: query %d finds %q, and alone %q", form, seed, i, found[i].ID, want.ID)
				}
			}
		}
	}
}

// TestFindTokensReadsTogether counts what it reads: each document and each token once.
func TestFindTokensReadsTogether(t *testing.T) {
	const n = 300
	options := []secretstore.Option{secretstore.WithDocument(4)}
	var reads atomic.Int64
	store := open(t, drivertest.Inject(stored(t, n, options...), func(c drivertest.Call) drivertest.Outcome {
		if c.Method == drivertest.Get {
			reads.Add(1)
		}
		return drivertest.Outcome{}
	}), options...)
	var queries []tokenstore.OAuthToken
	for i := range n {
		queries = append(queries, tokenstore.OAuthToken{ID: fmt.Sprintf("%05d", i)}, tokenstore.OAuthToken{UserName: fmt.Sprint("u", i)},
			client(tokenstore.OAuthToken{RefreshToken: fmt.Sprint("fake-refresh-", i)}))
	}
	found, err := store.FindTokens(t.Context(), queries)
	if err != nil {
		t.Fatal(err)
	}
	for i, token := range found {
		if token.UserName != fmt.Sprint("u", i/3) {
			t.Errorf("query %d finds %q", i, token.UserName)
		}
	}
	// Each token, the name that is derived from its user, the documents and their root.
	if most := int64(2*n + 5); reads.Load() > most {
		t.Errorf("%d reads, want %d at most", reads.Load(), most)
	}
}

// TestFindTokensNamesWhatFails: one find that fails does not hide the others.
func TestFindTokensNamesWhatFails(t *testing.T) {
	secrets := stored(t, 3)
	faults := map[string]error{"tokenstore/tokens/00001": driver.ErrUnreadable}
	store := open(t, drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome { return drivertest.Outcome{Err: faults[c.Name]} }))
	found, err := store.FindTokens(t.Context(), []tokenstore.OAuthToken{{ID: "00000"}, {ID: "00001"}, {ID: "00002"}, {ID: "none"}})
	if !errors.Is(err, tokenstore.ErrUnreadable) || found[0].ID != "00000" || found[1].ID != "" || found[2].ID != "00002" || found[3].ID != "" {
		t.Errorf("%v, %v", found, err)
	}
}

// TestFindTokensDoubtsAbsence has a service answer a batch read as if it had none of the
// tokens, also where the index cannot be read with them.
func TestFindTokensDoubtsAbsence(t *testing.T) {
	for form, options := range bothForms {
		for _, faults := range []int{0, 1} {
			doubtsAbsence(t, fmt.Sprintf("%s, %d faults of the index", form, faults), faults, options)
		}
	}
}

func doubtsAbsence(t *testing.T, form string, faults int, options []secretstore.Option) {
	t.Helper()
	secrets := stored(t, 3, options...)
	twice := client(tokenstore.OAuthToken{RefreshToken: "fake-refresh-2"}) // The index has two tokens for it.
	saves(t, open(t, secrets, options...), client(tokenstore.OAuthToken{ID: "another", UserName: "u9", RefreshToken: "fake-refresh-2"}))
	store := open(t, &answering{secrets, func(names []string) ([]driver.Secret, error) {
		if strings.HasPrefix(names[0], "tokenstore/tokens/") {
			return nil, nil
		}
		if faults--; faults >= 0 {
			return nil, driver.ErrUnavailable
		}
		return secrets.Batched().GetBatch(t.Context(), names)
	}}, append([]secretstore.Option{noWait, secretstore.WithScanLimit(0)}, options...)...)
	found, err := store.FindTokens(t.Context(), []tokenstore.OAuthToken{{ID: "00000"}, {UserName: "u1"}, twice})
	if err != nil {
		t.Fatal(err)
	}
	for i, token := range found {
		if token.UserName != fmt.Sprint("u", i) {
			t.Errorf("%s: query %d finds %q", form, i, token.UserName)
		}
	}
}

// TestFindTokensOfUnknownTokens counts what it reads for tokens that are not stored: it
// lists and searches the tokens once for all of them.
func TestFindTokensOfUnknownTokens(t *testing.T) {
	const n, unknown = 300, 100
	for name, limit := range map[string]int{"few tokens": 1000, "many tokens": 10} {
		t.Run(name, func(t *testing.T) {
			options := []secretstore.Option{secretstore.WithDocument(4), secretstore.WithScanLimit(limit)}
			var reads atomic.Int64
			store := open(t, drivertest.Inject(stored(t, n, options...), func(c drivertest.Call) drivertest.Outcome {
				reads.Add(1)
				return drivertest.Outcome{}
			}), options...)
			var queries []tokenstore.OAuthToken
			for i := range unknown {
				queries = append(queries, tokenstore.OAuthToken{UserName: fmt.Sprint("unknown-", i)}, tokenstore.OAuthToken{AccessToken: fmt.Sprint("unknown-", i)})
			}
			found, err := store.FindTokens(t.Context(), queries)
			if err != nil {
				t.Fatal(err)
			}
			for i, token := range found {
				if token != (tokenstore.OAuthToken{}) {
					t.Errorf("query %d finds %q", i, token.ID)
				}
			}
			// Each token by either search, the names that are derived from the users, and the
			// index, a few times.
			if most := int64(2*n + unknown + 40); reads.Load() > most {
				t.Errorf("%d reads, want %d at most", reads.Load(), most)
			}
		})
	}
}

// TestFindOfAnUnknownUserReadsPartOfALargeIndex: there are obviously more tokens than a find
// reads all of, so that it need not list them.
func TestFindOfAnUnknownUserReadsPartOfALargeIndex(t *testing.T) {
	const n, fanout = 500, 256
	options := []secretstore.Option{secretstore.WithDocument(fanout), secretstore.WithScanLimit(50)}
	var reads atomic.Int64
	store := open(t, drivertest.Inject(stored(t, n, options...), func(c drivertest.Call) drivertest.Outcome {
		reads.Add(1)
		return drivertest.Outcome{}
	}), options...)
	if _, err := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "unknown"}); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Fatal(err)
	}
	if most := int64(50); reads.Load() > most {
		t.Errorf("%d reads, want %d at most", reads.Load(), most)
	}
}

// TestFindTokensOfAnOverwrittenToken: a person has overwritten a token, so that only the
// index shows that it is the store's. A search for another key has read it before.
func TestFindTokensOfAnOverwrittenToken(t *testing.T) {
	options := []secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex()}
	secrets := stored(t, 3, options...)
	secrets.Edit("tokenstore/tokens/00001", []byte(`{"refresh_token":"1000.new","access_token":"1000.access","client_id":"fake","client_secret":"fake"}`))
	found, err := open(t, secrets, options...).FindTokens(t.Context(), []tokenstore.OAuthToken{
		client(tokenstore.OAuthToken{GrantToken: "1000.none", RefreshToken: "1000.new"}),
		{AccessToken: "1000.none"}, {AccessToken: "1000.access"},
	})
	if err != nil || found[0].ID != "00001" || found[2].ID != "00001" {
		t.Errorf("%v, %v", found, err)
	}
}
