package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

// accounts redeems refresh tokens; package tokensource/oauth2 has one for any provider that
// golang.org/x/oauth2 knows.
type accounts struct{}

func (accounts) Redeem(context.Context, tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{AccessToken: "new", Expiry: time.Now().Add(time.Hour)}, nil
}

func ExampleSource_Token() {
	ctx := context.Background()
	store := secretstore.NewMemory()
	_, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "mail:1", ClientID: "id", ClientSecret: "secret", RefreshToken: "refresh"})
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := tokensource.New(store, accounts{}, tokensource.WithReuse(tokensource.Forever))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close(ctx)

	token, err := source.Token(ctx, tokenstore.OAuthToken{UserName: "mail:1"})
	switch {
	case errors.Is(err, tokensource.ErrNeedsConsent), errors.Is(err, tokenstore.ErrNotFound):
		fmt.Println("send the user to the login page")
	case err != nil && !errors.Is(err, tokensource.ErrNotSaved):
		fmt.Println(err)
	default:
		fmt.Println(token.AccessToken)
	}
	// Output: new
}

func ExampleSource_Transport() {
	source, err := tokensource.New(secretstore.NewMemory(), accounts{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close(context.Background())
	client := &http.Client{Transport: source.Transport(tokenstore.OAuthToken{UserName: "mail:1"}, nil)}
	_ = client // Its requests are authorized, and repeated with a new token after status 401.
}

func ExampleSource_Renew() {
	ctx := context.Background()
	store := secretstore.NewMemory()
	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "mail:1", RefreshToken: "refresh", AccessToken: "old"})
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := tokensource.New(store, accounts{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close(ctx)

	// An API has answered 401 to the access token.
	renewed, err := source.Renew(ctx, saved)
	fmt.Println(renewed.AccessToken, err)
	// Output: new <nil>
}

func ExampleWithObserver() {
	ctx := context.Background()
	store := secretstore.NewMemory()
	_, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "mail:1", RefreshToken: "refresh"})
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := tokensource.New(store, accounts{}, tokensource.WithObserver(func(_ context.Context, e tokensource.Event) {
		fmt.Println(e.Step, e.Err)
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close(ctx)
	for range 2 {
		if _, err := source.Token(ctx, tokenstore.OAuthToken{UserName: "mail:1"}); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// read <nil>
	// claimed <nil>
	// redeemed <nil>
	// saved <nil>
	// from memory <nil>
}
