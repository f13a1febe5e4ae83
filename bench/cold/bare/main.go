// Command bare is the smallest Lambda function that reads a token from AWS Secrets Manager: the SDK's client, and a
// secret whose name it is given. The benchmarks compare ../store with it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// request is the event.
type request struct {
	Secret string `json:"secret"`
}

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := secretsmanager.NewFromConfig(cfg)
	handle := func(ctx context.Context, r request) (string, error) {
		got, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.Secret})
		if err != nil {
			return "", err
		}
		var token struct {
			AccessToken string `json:"access_token"`
		}
		err = json.Unmarshal([]byte(aws.ToString(got.SecretString)), &token)
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
