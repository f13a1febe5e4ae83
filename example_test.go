package tokenstore_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	_ "example.com/tokenstore/secretstore" // opens memory:
)

// The six methods, on any store.
func Example() {
	ctx := context.Background()
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		panic(err)
	}
	defer store.Close()

	saved, err1 := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName: "amelia@zylker.com:60001234567", ClientID: "1000.CLIENT", ClientSecret: "…", RefreshToken: "1000.refresh",
	})
	found, err2 := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "amelia@zylker.com:60001234567"})
	same, err3 := store.FindTokenByID(ctx, saved.ID)
	all, err4 := store.GetTokens(ctx)
	err5 := store.DeleteToken(ctx, saved.ID)
	err6 := store.DeleteTokens(ctx)
	_, gone := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "amelia@zylker.com:60001234567"})
	fmt.Println(found == same, len(all), errors.Is(gone, tokenstore.ErrNotFound), errors.Join(err1, err2, err3, err4, err5, err6))
	// Output: true 1 true <nil>
}

// A token that is printed shows no credential.
func ExampleOAuthToken_String() {
	fmt.Println(tokenstore.OAuthToken{ID: "1", UserName: "amelia@zylker.com:1", RefreshToken: "1000.secret"})
	// Output: OAuthToken{id: "1", user: "amelia@zylker.com:1", api domain: "", has: refresh_token}
}

// Retryable tells whether the same call may succeed later.
func ExampleRetryable() {
	err := &tokenstore.Error{Store: "awssm", Op: "save token", Kind: tokenstore.ErrThrottled}
	fmt.Println(tokenstore.Retryable(err), tokenstore.Retryable(tokenstore.ErrDenied))
	// Output: true false
}
