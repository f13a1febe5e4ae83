// The awssm: URL, for programs that choose their store by configuration.

package awssm

import (
	"context"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

func init() {
	tokenstore.Register(storeName, open)
	tokenstore.Describe(storeName, tokenstore.Usage{Example: "awssm://PREFIX?region=REGION", About: "AWS Secrets Manager"})
}

// The parameters of a URL.
var parameters = []string{"region", "profile", "endpoint", "insecure", "kms_key", "recovery_days", "fanout", secretstore.ParamPepperFile, secretstore.ParamRotating}

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

// urlOptions returns the options in a URL.
func urlOptions(u *url.URL) ([]Option, error) {
	var options []Option
	if u.Opaque != "" || u.Fragment != "" {
		return nil, errors.New("the URL must have the form awssm://prefix?region=…")
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
			return nil, errors.New("fanout must be a number")
		}
		options = append(options, WithFanout(n))
	}
	if text := query.Get("recovery_days"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return nil, errors.New("recovery_days must be a number")
		case n == 0:
			options = append(options, WithForceDelete())
		default:
			options = append(options, WithRecoveryWindow(n))
		}
	}
	return options, nil
}

// urlTimeout is far longer than a call takes that is answered at all.
const urlTimeout = 30 * time.Second

// urlClient returns a client from the SDK's default configuration chain.
func urlClient(ctx context.Context, query url.Values) (*secretsmanager.Client, error) {
	// Without a timeout, a server that accepts and never answers would be waited for
	// without an end.
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(urlTimeout)),
		config.WithLogger(logging.Nop{}), // The SDK's own writes to standard error; what matters is in the errors.
	}
	if region := query.Get("region"); region != "" {
		load = append(load, config.WithRegion(region))
	}
	if profile := query.Get("profile"); profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, invalidURL(configurationError(err))
	case cfg.Region == "":
		return nil, invalidURL(errors.New("no region: add region=… or set AWS_REGION"))
	case !regionForm.MatchString(cfg.Region):
		return nil, invalidURL(errors.New("invalid region: want something like eu-central-1"))
	}
	client := secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		if endpoint := query.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	})
	if err := checkEndpoint(client.Options().BaseEndpoint, query.Get("insecure")); err != nil {
		return nil, invalidURL(err)
	}
	return client, nil
}

// regionForm matches the names of AWS's regions.
var regionForm = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// checkEndpoint refuses an endpoint, from the URL or the SDK's configuration, to which
// tokens would be sent unencrypted. Its errors quote nothing, as it may hold a password.
func checkEndpoint(endpoint *string, insecure string) error {
	if insecure != "" && insecure != "true" && insecure != "false" {
		return errors.New("insecure must be true or false")
	}
	if endpoint == nil {
		return nil
	}
	e, err := url.Parse(*endpoint)
	switch {
	case err != nil || e.Host == "" || (e.Scheme != "http" && e.Scheme != "https") || e.User != nil:
		return errors.New("the endpoint must be an http or https URL without a password")
	case e.Scheme == "http" && !loopback(e.Hostname()) && insecure != "true":
		return errors.New("the endpoint has no TLS and is not on this machine, so tokens would be sent unencrypted: use https, or allow it with insecure=true")
	}
	return nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// configurationError describes what is wrong with the SDK's configuration. The SDK's own
// error quotes the profile and the files, so it is only reachable with errors.As.
func configurationError(err error) error {
	var profile config.SharedConfigProfileNotExistError
	var file config.SharedConfigLoadError
	var role config.SharedConfigAssumeRoleError
	text := "cannot load the AWS configuration: check the AWS_ variables and the shared configuration files"
	switch {
	case errors.As(err, &profile):
		text = "cannot load the AWS configuration: the profile is not in the shared configuration files; check profile=… or AWS_PROFILE"
	case errors.As(err, &role):
		text = "cannot load the AWS configuration: the profile assumes a role with a source profile that does not exist or has no credentials; check source_profile"
	case errors.As(err, &file):
		text = "cannot load the AWS configuration: a shared configuration file cannot be read or is malformed; check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"
	}
	return sealed{text, err}
}
