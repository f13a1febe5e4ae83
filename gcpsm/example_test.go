package gcpsm_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"google.golang.org/api/option"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/secretstore"
)

func ExampleNew() {
	ctx := context.Background()
	client, err := secretmanager.NewClient(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	store, err := gcpsm.New(client, "my-project",
		gcpsm.WithPrefix("crm/"),
		gcpsm.WithLabels(map[string]string{"team": "crm"}),
	)
	if err != nil {
		log.Print(err)
		return
	}
	token, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234"})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(token)
}

// Regional secrets have their own endpoint in each location, and their own names.
func ExampleWithLocation() {
	ctx := context.Background()
	client, err := secretmanager.NewClient(ctx, option.WithEndpoint("secretmanager.europe-west3.rep.googleapis.com:443"))
	if err != nil {
		log.Print(err)
		return
	}
	store, err := gcpsm.New(client, "my-project", gcpsm.WithLocation("europe-west3"))
	if err != nil {
		log.Print(err)
		return
	}
	defer store.Close()
}

// Secrets replicated to two locations, each encrypted with a key of that location.
func ExampleWithReplica() {
	ctx := context.Background()
	client, err := secretmanager.NewRESTClient(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	const key = "projects/my-project/locations/%s/keyRings/tokens/cryptoKeys/tokens"
	store, err := gcpsm.New(client, "my-project",
		gcpsm.WithReplica("europe-west1", fmt.Sprintf(key, "europe-west1")),
		gcpsm.WithReplica("europe-west3", fmt.Sprintf(key, "europe-west3")),
	)
	if err != nil {
		log.Print(err)
		return
	}
	defer store.Close()
}

func ExampleNew_test() {
	ctx := context.Background()
	clock := gcpsmtest.NewClock()
	service := gcpsmtest.New(gcpsmtest.Unpleasant(), clock)
	client, err := service.Client(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	defer client.Close()
	store, err := gcpsm.New(client, "test-project", gcpsm.WithClock(clock.Now, clock.Sleep))
	if err != nil {
		log.Print(err)
		return
	}
	saved, err := store.SaveToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234", RefreshToken: "1000.fake"})
	if err != nil {
		log.Print(err)
		return
	}
	// A person adds a version in the console.
	id, err := gcpsm.SecretID("tokenstore/tokens/" + saved.ID)
	if err != nil {
		log.Print(err)
		return
	}
	value, _ := service.Value(id)
	number, err := service.Edit(id, strings.Replace(value, "1000.fake", "1000.rotated", 1))
	fmt.Println("version", number, err)

	found, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: "ada@example.com:1234"})
	fmt.Println("found:", found.UserName, found.RefreshToken == "1000.rotated", err)
	// Output:
	// version 2 <nil>
	// found: ada@example.com:1234 true <nil>
}

func ExampleSecretID() {
	id, err := gcpsm.SecretID("tokenstore/tokens/ünï")
	fmt.Println(id, err)
	// Output: tokenstore--tokens---C3-BCn-C3-AF <nil>
}

// The driver alone, for a store with its own engine options.
func ExampleNewSecrets() {
	client, err := gcpsmtest.New(gcpsmtest.Real(), nil).Client(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	defer client.Close()
	secrets, err := gcpsm.NewSecrets(client, "test-project")
	if err != nil {
		log.Print(err)
		return
	}
	store, err := secretstore.New(secrets, secretstore.WithEntries())
	if err != nil {
		log.Print(err)
		return
	}
	all, err := store.GetTokens(context.Background())
	fmt.Println(len(all), err)
	// Output: 0 <nil>
}
