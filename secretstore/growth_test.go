package secretstore_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestGrowth stores very many tokens: a find costs the calls that it costs with
// ten, GetTokens reads every token once and every document once, or twice if it is
// the process's first and they were written just now, and no document outgrows what
// a secret holds. It stores 5,000 tokens in 16 documents, or 100,000 in 256 if
// TOKENSTORE_LONG is set.
func TestGrowth(t *testing.T) {
	const secretSize = 64 << 10
	n, fanout := 5_000, 16
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n, fanout = 100_000, 256
	}
	form := []secretstore.Option{secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex()}
	secrets := memory.New().Batched()
	store := open(t, secrets, form...)
	for chunk := range slices.Chunk(newTokens(n), 20_000) {
		if _, err := store.SaveTokens(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	report, err := store.Check(t.Context())
	if err != nil || report.Tokens != n || report.KeysAdded+report.HintsRemoved+report.HintsYoung != 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
	for _, s := range report.Index {
		if s.Size > secretSize {
			t.Errorf("%s has %d bytes", s.Name, s.Size)
		}
	}
	for _, i := range []int{0, n / 2, n - 1} {
		cold, count := observedStore(t, secrets, form...)
		token, err := cold.FindToken(t.Context(), client(tokenstore.OAuthToken{RefreshToken: fmt.Sprintf("new-refresh%d", i)}))
		if want := fmt.Sprintf("new%d", i); err != nil || token.UserName != want || count.reads != 3 {
			t.Errorf("found %v with %d reads, %v; want %s with 3", token, count.reads, err, want)
		}
	}
	read := 0
	cold := open(t, secrets, append(form, secretstore.WithObserver(func(_ context.Context, c secretstore.Call) { read += c.Secrets }))...)
	// Just after the saves a token might be on its way from one document to another.
	for _, want := range []int{n + 1 + 2*fanout, n + fanout} {
		read = 0
		if all, err := cold.GetTokens(t.Context()); err != nil || len(all) != n || read != want {
			t.Errorf("%d tokens, %v, with %d secrets read; want %d tokens and %d reads", len(all), err, read, n, want)
		}
	}
}
