// Command store is the smallest Lambda function that finds a user's token in this library's store in AWS Secrets
// Manager. The benchmarks compare it with ../bare.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
)

// request is the event.
type request struct {
	User string `json:"user"`
}

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store, err := awssm.New(secretsmanager.NewFromConfig(cfg))
	if err != nil {
		log.Fatal(err)
	}
	handle := func(ctx context.Context, r request) (string, error) {
		token, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: r.User})
		return token.AccessToken, err
	}
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(handle)
		return
	}
	token, err := handle(ctx, request{os.Getenv("EVENT")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(token))
}
