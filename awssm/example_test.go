package awssm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/secretstore"
)

func ExampleNew() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store, err := awssm.New(secretsmanager.NewFromConfig(cfg),
		awssm.WithPrefix("crm/"),
		awssm.WithKMSKey("alias/crm-tokens"),
		awssm.WithTags(map[string]string{"team": "crm"}),
	)
	if err != nil {
		log.Fatal(err)
	}
	token, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
}

func ExampleNew_test() {
	ctx := context.Background()
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Unpleasant(), clock)
	store, err := awssm.New(service.Client(), awssm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		log.Fatal(err)
	}
	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234", RefreshToken: "1000.fake"})
	if err != nil {
		log.Fatal(err)
	}
	// A person edits the secret in the console.
	value, _ := service.Value("tokenstore/tokens/" + saved.ID)
	fmt.Println("edited:", service.Edit("tokenstore/tokens/"+saved.ID, value) == nil)

	found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234"})
	fmt.Println("found:", found.UserName, err)
	// Output:
	// edited: true
	// found: ada@example.com:1234 <nil>
}

func ExampleSecretName() {
	name, err := awssm.SecretName("tokenstore/tokens/ünï")
	fmt.Println(name, err)
	// Output: tokenstore/tokens/=C3=BCn=C3=AF <nil>
}

// The driver alone, for a store with its own engine options.
func ExampleNewSecrets() {
	secrets, err := awssm.NewSecrets(awssmtest.New(awssmtest.Real(), nil))
	if err != nil {
		log.Fatal(err)
	}
	store, err := secretstore.New(secrets, secretstore.WithEntries())
	if err != nil {
		log.Fatal(err)
	}
	all, err := store.GetTokens(context.Background())
	fmt.Println(len(all), err)
	// Output: 0 <nil>
}
