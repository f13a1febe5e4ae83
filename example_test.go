// The examples of the package's documentation.

package tokenstore_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	_ "example.com/tokenstore/secretstore" // opens memory:
)

// Example saves a token, finds it by its refresh token, and deletes it.
func Example() {
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// amelia@zylker.com:60001234567
	// deleted
}

func run(ctx context.Context) error {
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		return err
	}
	defer store.Close()

	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName:     "amelia@zylker.com:60001234567",
		ClientID:     "1000.CLIENT",
		ClientSecret: "client-secret",
		RefreshToken: "1000.refresh",
	})
	if err != nil {
		return err
	}

	query := tokenstore.QueryFor(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "1000.refresh"})
	found, err := store.FindToken(ctx, query)
	if err != nil {
		return err
	}
	fmt.Println(found.UserName)

	if err := store.DeleteToken(ctx, saved.ID); err != nil {
		return err
	}
	if _, err := store.FindTokenByID(ctx, saved.ID); errors.Is(err, tokenstore.ErrNotFound) {
		fmt.Println("deleted")
	}
	return nil
}

// Printing a token shows no credential.
func ExampleOAuthToken_String() {
	fmt.Println(tokenstore.OAuthToken{ID: "1", UserName: "amelia@zylker.com:1", RefreshToken: "1000.secret"})
	// Output: OAuthToken{id: "1", user: "amelia@zylker.com:1", api domain: "", has: refresh_token}
}

// Retryable reports whether the same call may succeed later.
func ExampleRetryable() {
	err := &tokenstore.Error{Store: "awssm", Op: "save token", Kind: tokenstore.ErrThrottled}
	fmt.Println(tokenstore.Retryable(err), tokenstore.Retryable(tokenstore.ErrDenied))
	// Output: true false
}

// Counting the tokens of a store that is too large to hold in memory. A token that cannot
// be read does not end the loop.
func ExampleStreamer() {
	ctx := context.Background()
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	for _, user := range []string{"amelia@zylker.com:1", "bruno@zylker.com:2"} {
		if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: user, RefreshToken: "1000." + user}); err != nil {
			fmt.Println(err)
			return
		}
	}

	streamer, ok := tokenstore.As[tokenstore.Streamer](store)
	if !ok {
		fmt.Println("this store has no Tokens; use GetTokens")
		return
	}
	tokens, unreadable := 0, 0
	for _, err := range streamer.Tokens(ctx) {
		switch {
		case err == nil:
			tokens++
		case errors.Is(err, tokenstore.ErrUnreadable):
			unreadable++
		default:
			fmt.Println(err)
			return
		}
	}
	fmt.Println(tokens, "tokens,", unreadable, "unreadable")
	// Output: 2 tokens, 0 unreadable
}
