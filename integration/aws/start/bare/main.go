// Command bare reads one secret with the service's client alone, to compare with command
// store. It prints how long that took, in microseconds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func main() {
	began := time.Now()
	if err := run(context.Background(), os.Getenv("TOKEN_SECRET")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // This is func main.
	}
	fmt.Println(time.Since(began).Microseconds())
}

func run(ctx context.Context, name string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return err
	}
	var token map[string]string
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &token) != nil || token["access_token"] == "" {
		return errors.New("the secret has no access token; store one first")
	}
	return nil
}
