// A URL opens a store, so that a program or the command needs no Go code for it.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

func init() {
	tokenstore.Register(storeName, open)
	tokenstore.Describe(storeName, tokenstore.Usage{Example: "awssm://PREFIX?region=REGION", About: "AWS Secrets Manager"})
}

// The parameters of a URL.
var parameters = []string{"region", "profile", "endpoint", "kms_key", "recovery_days", "fanout", secretstore.ParamPepperFile}

// open opens the store that a URL names; see the package comment.
func open(ctx context.Context, u *url.URL) (tokenstore.OpenStore, error) {
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return nil, err
	}
	options, err := urlOptions(u)
	if err != nil {
		return nil, invalidURL(err)
	}
	common, err := secretstore.URLOptions(u)
	if err != nil {
		return nil, err
	}
	client, err := urlClient(ctx, u.Query())
	if err != nil {
		return nil, err
	}
	return New(client, append(options, WithStoreOptions(common...))...)
}

func invalidURL(err error) error {
	return &tokenstore.Error{Store: storeName, Op: "open", Kind: tokenstore.ErrInvalidArgument, Err: err}
}

// urlOptions returns the options that a URL gives.
func urlOptions(u *url.URL) ([]Option, error) {
	var options []Option
	if u.Opaque != "" || u.Fragment != "" {
		return nil, errors.New("the form is awssm://prefix?region=…")
	}
	if prefix := strings.Trim(u.Host+u.Path, "/"); prefix != "" {
		options = append(options, WithPrefix(prefix+"/"))
	}
	query := u.Query()
	if key := query.Get("kms_key"); key != "" {
		options = append(options, WithKMSKey(key))
	}
	if text := query.Get("fanout"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, errors.New("fanout is not a number")
		}
		options = append(options, WithFanout(n))
	}
	if text := query.Get("recovery_days"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return nil, errors.New("recovery_days is not a number")
		case n == 0:
			options = append(options, WithForceDelete())
		default:
			options = append(options, WithRecoveryWindow(n))
		}
	}
	return options, nil
}

// urlClient returns a client from the SDK's default chain.
func urlClient(ctx context.Context, query url.Values) (*secretsmanager.Client, error) {
	var load []func(*config.LoadOptions) error
	if region := query.Get("region"); region != "" {
		load = append(load, config.WithRegion(region))
	}
	if profile := query.Get("profile"); profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "open", Kind: tokenstore.ErrInvalidArgument,
			Err: fmt.Errorf("the AWS configuration cannot be loaded: %w", err)}
	}
	if cfg.Region == "" {
		return nil, invalidURL(errors.New("no region: give region=… or set AWS_REGION"))
	}
	endpoint := query.Get("endpoint")
	if endpoint != "" {
		if e, err := url.Parse(endpoint); err != nil || e.Host == "" || (e.Scheme != "http" && e.Scheme != "https") || e.User != nil {
			return nil, invalidURL(errors.New("endpoint is not an http or https URL"))
		}
	}
	return secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	}), nil
}
