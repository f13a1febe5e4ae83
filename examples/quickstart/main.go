// Command quickstart saves a token and finds it again. It is the first program of
// the README.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tokenstore"
	_ "example.com/tokenstore/secretstore" // opens memory:
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	store, err := tokenstore.Open(ctx, "memory:")
	if err != nil {
		return err
	}
	defer store.Close()

	if _, err := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName:     "amelia@zylker.com:60001234567",
		ClientID:     "1000.CLIENT",
		ClientSecret: "client-secret",
		RefreshToken: "1000.refresh",
	}); err != nil {
		return err
	}
	token, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "amelia@zylker.com:60001234567"})
	if err != nil {
		return err
	}
	fmt.Println(token) // shows no credential
	return nil
}
