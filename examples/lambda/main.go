// Command lambda is an AWS Lambda function that returns the company of a Zoho CRM user: it
// takes the user's access token from AWS Secrets Manager and queries the CRM with it. It
// only reads the store; another program, such as the one in ../service, keeps the tokens
// fresh.
//
// README.md says how to build and deploy it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
)

func main() {
	f, err := newFunction(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(f.handle)
}

// function lives as long as the execution environment: the store remembers what it has
// read, and connections stay open.
type function struct {
	store tokenstore.Store
	crm   *http.Client
}

// newFunction makes the store from the function's role, region and environment. It makes no
// call.
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
	return &function{store: store, crm: &http.Client{Timeout: 10 * time.Second}}, nil
}

// request is the event.
type request struct {
	User string `json:"user"` // as the token's user name: mail:orgid
}

// reply is the result.
type reply struct {
	Company string `json:"company"`
}

// errUnauthorized is returned if the CRM refuses the access token.
var errUnauthorized = errors.New("the CRM refuses the access token; check that the service which refreshes it is running")

// handle answers one event. A refused access token may have been replaced since it was
// read: then the store is read once more.
func (f *function) handle(ctx context.Context, r request) (reply, error) {
	token, err := f.find(ctx, r.User)
	if err != nil {
		return reply{}, err
	}
	company, err := f.company(ctx, token)
	if errors.Is(err, errUnauthorized) {
		refused := token.AccessToken
		if token, err = f.find(ctx, r.User); err != nil {
			return reply{}, err
		}
		if err = errUnauthorized; token.AccessToken != refused {
			company, err = f.company(ctx, token)
		}
	}
	return reply{Company: company}, err
}

// find returns the user's token. Finding by user takes one call.
func (f *function) find(ctx context.Context, user string) (tokenstore.OAuthToken, error) {
	return f.store.FindToken(ctx, tokenstore.OAuthToken{UserName: user})
}

// company queries the CRM for the name of the token's organisation.
func (f *function) company(ctx context.Context, token tokenstore.OAuthToken) (string, error) {
	if token.APIDomain == "" {
		return "", errors.New("the token has no api_domain; save it with its CRM's address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, token.APIDomain+"/crm/v8/org", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Zoho-oauthtoken "+token.AccessToken)
	resp, err := f.crm.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return "", errUnauthorized
	default:
		return "", fmt.Errorf("the CRM answers %s", resp.Status)
	}
	var body struct {
		Org []struct {
			CompanyName string `json:"company_name"`
		} `json:"org"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return "", fmt.Errorf("the CRM's answer: %w", err)
	}
	if len(body.Org) == 0 {
		return "", errors.New("the CRM's answer names no organisation; check the token's scopes")
	}
	return body.Org[0].CompanyName, nil
}
