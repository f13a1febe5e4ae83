package vault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"

	"example.com/tokenstore"
	"example.com/tokenstore/vault"
)

// The client is configured by the environment: VAULT_ADDR, VAULT_TOKEN and so on.
func Example() {
	ctx := context.Background()
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		log.Print(err)
		return
	}
	store, err := vault.New(client, vault.WithMount("secret"))
	if err != nil {
		log.Print(err)
		return
	}
	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{
		UserName: "mail@example.com:42", ClientID: "…", ClientSecret: "…", RefreshToken: "…",
	})
	switch {
	case errors.Is(err, vault.ErrNotKV2):
		log.Print("enable the engine with -version=2")
	case tokenstore.Retryable(err):
		log.Print("try again a little later: ", err)
	case err != nil:
		log.Print(err)
	default:
		fmt.Println("stored as", saved.ID)
	}
}

// A service logs in by AppRole and has its token renewed while it runs.
func ExampleNewSession() {
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		log.Print(err)
		return
	}
	method, err := vault.LoginAppRole("role-id", approle.SecretID{FromFile: "/run/secrets/secret-id"})
	if err != nil {
		log.Print(err)
		return
	}
	session, err := vault.NewSession(client, method)
	if err != nil {
		log.Print(err)
		return
	}
	go func() { _ = session.Run(ctx) }()
	store, err := vault.New(client, vault.WithSession(session))
	if err != nil {
		log.Print(err)
		return
	}
	tokens, err := store.GetTokens(ctx)
	fmt.Println(len(tokens), err)
}

// Invalid arguments are reported at once, without a call.
func ExampleNew() {
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		log.Print(err)
		return
	}
	_, err = vault.New(client, vault.WithPrefix("no-slash-at-the-end"))
	fmt.Println(errors.Is(err, tokenstore.ErrInvalidArgument))
	fmt.Println(err)
	// Output:
	// true
	// vault: new store: invalid argument: the prefix must be a path that ends in a slash, such as tokenstore/
}

// A URL names the store; its credentials come from the environment.
func Example_open() {
	_, err := tokenstore.Open(context.Background(), "vault://secret/tokenstore?token=never-here")
	fmt.Println(err)
	// Output:
	// open vault: invalid argument: unknown parameter "token"; known are mount, namespace, reads, pepper_file, access_index
}
