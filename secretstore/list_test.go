package secretstore_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// TestListWhileATokenRotates has the only key of a token change, once or again and
// again, while all tokens are listed: before each of the list's calls, and before
// one of them. The token is stored all the time.
func TestListWhileATokenRotates(t *testing.T) {
	ctx := t.Context()
	options := []secretstore.Option{secretstore.WithDocument(4), secretstore.WithScanLimit(0), secretstore.WithParallelism(1), noWait}
	missed := 0
	for first := range 8 {
		for _, again := range []bool{false, true} {
			for start := range 8 {
				secrets := memory.New()
				writer := open(t, secrets, options...)
				token, err := writer.SaveToken(ctx, client(tokenstore.OAuthToken{RefreshToken: fmt.Sprint("fake-refresh-", start)}))
				if err != nil {
					t.Fatal(err)
				}
				calls := 0
				rotate := func() {
					token.RefreshToken = fmt.Sprintf("fake-refresh-%d-%d", start, calls)
					if _, err := writer.SaveToken(ctx, token); err != nil {
						t.Error(err)
					}
				}
				reader := open(t, drivertest.Intercept(secrets, func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
					if calls == first || again && calls > first {
						rotate()
					}
					calls++
					return do(ctx)
				}), options...)
				tokens, err := reader.GetTokens(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if len(tokens) != 1 || tokens[0].ID != token.ID {
					missed++
				}
			}
		}
	}
	if missed > 0 {
		t.Errorf("%d of 128 lists miss the token", missed)
	}
}

// TestListWithoutPermissionToList lists with a role that may not have the service list:
// the index is all that it has.
func TestListWithoutPermissionToList(t *testing.T) {
	ctx, secrets := t.Context(), memory.New()
	options := []secretstore.Option{secretstore.WithDocument(4), noWait}
	if _, err := open(t, secrets, options...).SaveToken(ctx, client(tokenstore.OAuthToken{RefreshToken: "fake-refresh"})); err != nil {
		t.Fatal(err)
	}
	reader := open(t, drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.List {
			return driver.ErrDenied
		}
		return do(ctx)
	}), options...)
	if tokens, err := reader.GetTokens(ctx); err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
}
