// Command lambda is an AWS Lambda function that returns the company of a Zoho CRM user. It
// takes the user's token from AWS Secrets Manager, refreshes it if it has ended, and queries
// the CRM with it. Any number of instances may run, beside services such as ../service:
// they share the tokens, and each token is refreshed once.
//
// README.md says how to build and deploy it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
)

func main() {
	f, err := newFunction(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(f.handle)
}

// function lives as long as the execution environment: the source remembers its tokens,
// and connections stay open.
type function struct {
	source *tokensource.Source
	client *http.Client
}

// newFunction makes the function from its role, region and environment. It makes no call.
func newFunction(ctx context.Context) (*function, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	prefix := os.Getenv("TOKEN_PREFIX")
	if prefix == "" {
		return nil, errors.New("TOKEN_PREFIX is not set; set it to the prefix of the store's secrets, such as crm/")
	}
	store, err := awssm.New(secretsmanager.NewFromConfig(cfg), awssm.WithPrefix(prefix))
	if err != nil {
		return nil, err
	}
	return newFunctionOn(store, &http.Client{Timeout: 10 * time.Second})
}

// newFunctionOn makes the function on a store. client reaches Zoho. Lambda freezes the
// process between two events: the call that begins a refresh waits until it is saved.
func newFunctionOn(store tokenstore.Store, client *http.Client) (*function, error) {
	source, err := tokensource.New(store, zoho.Redeemer{HTTP: client}, tokensource.WithForeground())
	if err != nil {
		return nil, err
	}
	return &function{source: source, client: client}, nil
}

// request is the event.
type request struct {
	User string `json:"user"` // as the token's user name: mail:orgid
}

// reply is the result.
type reply struct {
	Company string `json:"company"`
}

// handle answers one event.
func (f *function) handle(ctx context.Context, r request) (reply, error) {
	crm := http.Client{Transport: &zoho.Transport{
		Source: f.source, Query: tokenstore.OAuthToken{UserName: r.User}, Base: f.client.Transport,
	}}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "/crm/v8/org", nil)
	if err != nil {
		return reply{}, err
	}
	answer, err := crm.Do(ask)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("the CRM answered %s", answer.Status)
	}
	var body struct {
		Org []struct {
			CompanyName string `json:"company_name"`
		} `json:"org"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body); err != nil {
		return reply{}, fmt.Errorf("the CRM's answer: %w", err)
	}
	if len(body.Org) == 0 {
		return reply{}, errors.New("the CRM's answer names no organisation; check the token's scopes")
	}
	return reply{Company: body.Org[0].CompanyName}, nil
}
