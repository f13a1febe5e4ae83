// The gcpsm: URL, for programs that choose their store by configuration.

package gcpsm

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

func init() {
	tokenstore.Register(storeName, open)
	tokenstore.Describe(storeName, tokenstore.Usage{Example: "gcpsm://PROJECT/PREFIX", About: "Google Cloud's Secret Manager"})
}

// The parameters of a URL.
var parameters = []string{"location", "replicas", "kms_key", "fanout", "transport", "endpoint", "insecure", secretstore.ParamPepperFile, secretstore.ParamRotating}

const (
	transportGRPC = "grpc"
	transportREST = "rest"
)

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
	options = append(options, WithStoreOptions(common...))
	dial, err := newClient(u.Query())
	if err != nil {
		return nil, invalidURL(err)
	}
	// Check all options before a client is made: none of them depends on it.
	if _, err := New(&secretmanager.Client{}, u.Host, options...); err != nil {
		return nil, err
	}
	client, err := dial(ctx)
	if err != nil {
		return nil, &tokenstore.Error{Store: storeName, Op: "open", Kind: tokenstore.ErrDenied, Err: &noClient{err}}
	}
	options = append(options, WithStoreOptions(secretstore.WithClose(client.Close)))
	return New(client, u.Host, options...)
}

// noClient is the error of a client that could not be made. The URL was checked
// before, so the credentials are at fault; the cause may quote their file, and is
// not shown.
type noClient struct{ cause error }

func (*noClient) Error() string {
	return "no usable application default credentials; run gcloud auth application-default login, " +
		"or check the file that GOOGLE_APPLICATION_CREDENTIALS names"
}

func (e *noClient) Unwrap() error { return e.cause }

func invalidURL(err error) error {
	return &tokenstore.Error{Store: storeName, Op: "open", Kind: tokenstore.ErrInvalidArgument, Err: err}
}

// urlOptions returns the options in a URL.
func urlOptions(u *url.URL) ([]Option, error) {
	if u.Opaque != "" || u.Fragment != "" || u.Host == "" {
		return nil, errors.New("the URL must have the form gcpsm://project/prefix")
	}
	var options []Option
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		options = append(options, WithPrefix(prefix+"/"))
	}
	query := u.Query()
	if location := query.Get("location"); location != "" {
		options = append(options, WithLocation(location))
	}
	if text := query.Get("replicas"); text != "" {
		for location := range strings.SplitSeq(text, ",") {
			options = append(options, WithReplica(location, ""))
		}
	}
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
	return options, nil
}

// newClient returns a function that makes the client for a URL.
func newClient(query url.Values) (func(context.Context) (*secretmanager.Client, error), error) {
	rest := false
	switch query.Get("transport") {
	case "", transportGRPC:
	case transportREST:
		rest = true
	default:
		return nil, errors.New("transport must be grpc or rest")
	}
	options, err := endpointOptions(query, rest)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*secretmanager.Client, error) {
		if rest {
			return secretmanager.NewRESTClient(ctx, options...)
		}
		return secretmanager.NewClient(ctx, options...)
	}, nil
}

// endpointOptions returns the endpoint to connect to: regional secrets have one
// per location.
// https://docs.cloud.google.com/secret-manager/docs/reference/rest#rest_endpoints
func endpointOptions(query url.Values, rest bool) ([]option.ClientOption, error) {
	endpoint, location := query.Get("endpoint"), query.Get("location")
	switch insecure := query.Get("insecure"); {
	case insecure != "" && insecure != "true" && insecure != "false":
		return nil, errors.New("insecure must be true or false")
	case insecure == "true" && endpoint == "":
		return nil, errors.New("insecure=true needs an endpoint: Google's own are always encrypted")
	case endpoint == "" && location == "":
		return nil, nil
	case endpoint == "" && rest:
		return []option.ClientOption{option.WithEndpoint("https://secretmanager." + location + ".rep.googleapis.com")}, nil
	case endpoint == "":
		return []option.ClientOption{option.WithEndpoint("secretmanager." + location + ".rep.googleapis.com:443")}, nil
	}
	e, err := url.Parse("http://" + endpoint)
	switch {
	case err != nil || e.Host != endpoint || e.Port() == "":
		return nil, errors.New("endpoint must be host:port")
	case !isLoopback(e.Hostname()) && query.Get("insecure") != "true":
		return nil, errors.New("endpoint is not on this machine, and the connection to it is not encrypted; add insecure=true if it is an emulator on a test network")
	}
	if rest {
		return []option.ClientOption{option.WithEndpoint("http://" + endpoint), option.WithoutAuthentication()}, nil
	}
	return []option.ClientOption{
		option.WithEndpoint(endpoint), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}, nil
}

// isLoopback reports whether a host is this machine, so that nothing sent to it
// goes over a network.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
