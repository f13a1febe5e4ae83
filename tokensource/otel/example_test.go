package otel_test

import (
	"context"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	tokenotel "example.com/tokenstore/tokensource/otel"
)

// The store's calls and the source's steps are reported to the global providers.
func Example() {
	_ = func(ctx context.Context, client awssm.API, redeemer tokensource.Redeemer) error {
		observer, err := tokenotel.New()
		if err != nil {
			return err
		}
		store, err := awssm.New(client, awssm.WithStoreOptions(secretstore.WithObserver(observer.Store)))
		if err != nil {
			return err
		}
		source, err := tokensource.New(store, redeemer, tokensource.WithObserver(observer.Source))
		if err != nil {
			return err
		}
		return source.Close(ctx)
	}
}
