// Command store does what a function does before its first answer: it makes a store
// with the default configuration and finds one token. It prints how long that took, in
// microseconds.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
)

func main() {
	began := time.Now()
	if err := run(context.Background(), os.Getenv("TOKEN_PREFIX"), os.Getenv("TOKEN_USER")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // This is func main.
	}
	fmt.Println(time.Since(began).Microseconds())
}

func run(ctx context.Context, prefix, user string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	store, err := awssm.New(secretsmanager.NewFromConfig(cfg), awssm.WithPrefix(prefix))
	if err != nil {
		return err
	}
	_, err = store.FindToken(ctx, tokenstore.OAuthToken{UserName: user})
	return err
}
