package secretstore_test

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestEmptiedDocument has a service empty a document of the index: reads and saves
// say so, a check leaves it alone, and the repair rebuilds it from the tokens.
func TestEmptiedDocument(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		ctx, secrets := t.Context(), memory.New()
		again := func() *secretstore.Store {
			t.Helper()
			s, err := secretstore.New(secrets, secretstore.WithDocument(fanout), secretstore.WithoutAccessIndex())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		const tokens = 12
		for i := range tokens {
			token := tokenstore.OAuthToken{UserName: fmt.Sprint("user", i), RefreshToken: fmt.Sprint("fake-refresh-", i)}
			if _, err := again().SaveToken(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		var names []string
		for name, err := range secrets.List(ctx, "tokenstore/index/") {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		for _, name := range names {
			secrets.Edit(name, nil)
		}
		if _, err := again().GetTokens(ctx); !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("fan-out %d: the list gives %v", fanout, err)
		}
		if _, err := again().Check(ctx); !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("fan-out %d: the check gives %v", fanout, err)
		}
		if _, err := again().Reindex(ctx, secretstore.ReindexOptions{}); err != nil {
			t.Errorf("fan-out %d: the repair gives %v", fanout, err)
		}
		if all, err := again().GetTokens(ctx); err != nil || len(all) != tokens {
			t.Errorf("fan-out %d: %d tokens, %v", fanout, len(all), err)
		}
		for i := range tokens {
			query := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: fmt.Sprint("fake-refresh-", i)}
			if _, err := again().FindToken(ctx, query); err != nil {
				t.Errorf("fan-out %d, token %d: %v", fanout, i, err)
			}
		}
	}
}
