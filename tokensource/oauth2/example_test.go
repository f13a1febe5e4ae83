package oauth2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	tokenoauth2 "example.com/tokenstore/tokensource/oauth2"
)

// A service calls an API as a user whose access token has expired. The accounts server is one
// for tests.
func Example() {
	accounts := accountstest.NewServer(accountstest.Config{Kind: accountstest.RevokeFamily})
	defer accounts.Close()
	token := accounts.Login(accountstest.User{})
	token.Expiry = time.Now().Add(-time.Minute)
	store := secretstore.NewMemory()
	if _, err := store.SaveToken(context.Background(), token); err != nil {
		log.Print(err)
		return
	}
	status, err := call(context.Background(), store, accounts, token.UserName)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(status)
	fmt.Println("redemptions:", accounts.Uses(token.RefreshToken).Redemptions)
	// Output:
	// 200 OK
	// redemptions: 1
}

func call(ctx context.Context, store tokenstore.Store, accounts *accountstest.Server, user string) (status string, err error) {
	config := &oauth2.Config{
		ClientID: accounts.ClientID(), ClientSecret: accounts.ClientSecret(),
		Endpoint: oauth2.Endpoint{TokenURL: accounts.TokenURL(), AuthStyle: oauth2.AuthStyleInParams},
	}

	source, err := tokensource.New(store, tokenoauth2.NewRedeemer(config))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, source.Close(context.WithoutCancel(ctx))) }()

	client := &http.Client{Transport: source.Transport(tokenstore.OAuthToken{UserName: user}, nil)}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, accounts.URL+"/api/", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Status, err
}

// What a caller of Token does with its errors.
func ExampleNewRedeemer() {
	accounts := accountstest.NewServer(accountstest.Config{Kind: accountstest.Refuse})
	defer accounts.Close()
	ctx := context.Background()
	stored := accounts.Login(accountstest.User{})
	stored.Expiry = time.Now().Add(-time.Minute)
	accounts.Withdraw(accountstest.User{}) // The user has withdrawn the consent.
	store := secretstore.NewMemory()
	if _, err := store.SaveToken(ctx, stored); err != nil {
		log.Print(err)
		return
	}
	config := &oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: accounts.TokenURL(), AuthStyle: oauth2.AuthStyleInParams}}
	source, err := tokensource.New(store, tokenoauth2.NewRedeemer(config)) // Each token's own client.
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = source.Close(ctx) }()

	token, err := source.Token(ctx, tokenstore.OAuthToken{UserName: stored.UserName})
	switch {
	case err == nil:
		fmt.Println(token.AccessToken)
	case errors.Is(err, tokensource.ErrNotSaved):
		fmt.Println(token.AccessToken) // It is valid; the store is out of reach.
	case errors.Is(err, tokensource.ErrNeedsConsent), errors.Is(err, tokenstore.ErrNotFound):
		fmt.Println("send the user to the login page")
	case tokenstore.Retryable(err):
		fmt.Println("try again later")
	default:
		fmt.Println("tell an operator:", err)
	}
	// Output: send the user to the login page
}
