package tokenstore_test

import (
	"context"
	"fmt"

	"example.com/tokenstore"
)

// Two processes have refreshed the same token. The slower one replaces it only if it is
// still the one that it has read: a plain save would write its older refresh token over the
// newer one.
func ExampleSwapper() {
	if err := replaceIfUnchanged(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the first has replaced it: true
	// the second has replaced it: false
	// stored is 1000.from-the-first
}

func replaceIfUnchanged(ctx context.Context) error {
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		return err
	}
	defer store.Close()
	swapper, ok := tokenstore.As[tokenstore.Swapper](store)
	if !ok {
		return fmt.Errorf("%T cannot swap", store)
	}
	user := tokenstore.OAuthToken{UserName: "amelia@zylker.com:60001234567"}
	if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: user.UserName, RefreshToken: "1000.old"}); err != nil {
		return err
	}

	// Both read the token, and get a new one from the accounts server.
	first, err := swapper.FindNoted(ctx, user)
	if err != nil {
		return err
	}
	second, err := swapper.FindNoted(ctx, user)
	if err != nil {
		return err
	}

	_, swapped, err := swapper.SwapToken(ctx, first, tokenstore.OAuthToken{RefreshToken: "1000.from-the-first"}, first.Note)
	if err != nil {
		return err
	}
	fmt.Println("the first has replaced it:", swapped)

	now, swapped, err := swapper.SwapToken(ctx, second, tokenstore.OAuthToken{RefreshToken: "1000.from-the-second"}, second.Note)
	if err != nil {
		return err
	}
	fmt.Println("the second has replaced it:", swapped)
	fmt.Println("stored is", now.RefreshToken)
	return nil
}
