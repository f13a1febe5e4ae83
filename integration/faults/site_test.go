package faults

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/integration/internal/faultproxy"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/integration/internal/vaultserver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

// access is how a process reaches the server. All fields are encoded as strings in the
// environment.
type access struct {
	Kind        string        // "localstack" or "vault"
	Address     string        // the server's, or a proxy's: host and port
	Token       string        // of Vault
	Certificate string        // of Vault: a file
	Prefix      string        // of the store's secrets
	Timeout     time.Duration // for one answer
}

// clientTimeout is how long a fleet's client waits for one answer: short, so that a
// lost request is given up during the test. The test itself, which connects directly,
// waits longer.
const (
	clientTimeout = 2 * time.Second
	ownTimeout    = time.Minute
)

// open returns stores for n clients of one process.
func (a access) open(n int, options ...secretstore.Option) ([]*secretstore.Store, error) {
	options = append(options, secretstore.WithScanLimit(0)) // A find must not succeed without the index.
	stores := make([]*secretstore.Store, n)
	for i := range stores {
		var err error
		switch {
		case a.Kind == "vault":
			stores[i], err = a.vault(options)
		case i == 0:
			stores[i], err = a.localstack(options)
		default:
			// LocalStack is slow: the clients of a process share one store.
			stores[i] = stores[0]
		}
		if err != nil {
			return nil, err
		}
	}
	return stores, nil
}

func (a access) vault(options []secretstore.Option) (*secretstore.Store, error) {
	c := api.DefaultConfig()
	if c.Error != nil {
		return nil, c.Error
	}
	c.Address = "https://" + a.Address
	if err := c.ConfigureTLS(&api.TLSConfig{CACert: a.Certificate}); err != nil {
		return nil, err
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, err
	}
	client.SetToken(a.Token)
	client.SetClientTimeout(a.Timeout)
	return vault.New(client, vault.WithPrefix(a.Prefix), vault.WithStoreOptions(options...))
}

// limitless hides a driver's limits, which LocalStack does not have: AWS would not
// accept as many writes of one secret in a day.
type limitless struct{ driver.Secrets }

func (l limitless) Unwrap() driver.Secrets { return l.Secrets }
func (limitless) Limits() driver.Limits    { return driver.Limits{} }

func (a access) localstack(options []secretstore.Option) (*secretstore.Store, error) {
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://" + a.Address),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  awshttp.NewBuildableClient().WithTimeout(a.Timeout),
	})
	secrets, err := awssm.NewSecrets(client)
	if err != nil {
		return nil, err
	}
	return secretstore.New(limitless{secrets}, append(options,
		secretstore.WithPrefix(a.Prefix), secretstore.WithDocument(2), secretstore.WithoutAccessIndex())...)
}

// site is a test's server, as the test itself reaches it.
type site struct {
	access                     // a direct connection
	server *vaultserver.Server // of Vault
}

// newSite starts or finds the server.
func newSite(t *testing.T, kind string) *site {
	t.Helper()
	s := &site{access: access{Kind: kind, Prefix: need.Prefix(t), Timeout: ownTimeout}}
	if kind == "vault" {
		s.server = vaultserver.New(t)
		s.Address, s.Token, s.Certificate = s.server.Address(), s.server.Client.Token(), s.server.Certificate()
		return s
	}
	endpoint, err := url.Parse(need.AWS(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Address = endpoint.Host
	return s
}

// outage takes the server away for a moment: Vault is killed and started again.
// LocalStack, which would forget everything, becomes unreachable instead.
func (s *site) outage(t *testing.T, links []*faultproxy.Proxy) {
	t.Helper()
	if s.server != nil {
		s.server.Kill()
		s.server.Start(t)
		s.server.Unseal(t)
		return
	}
	for _, link := range links {
		link.Break()
	}
	time.Sleep(time.Second)
	for _, link := range links {
		link.Restore(t)
	}
}

// through returns how a process reaches the server through a proxy.
func (s *site) through(link *faultproxy.Proxy) access {
	a := s.access
	a.Address, a.Timeout = link.Address(), clientTimeout
	return a
}

// inspect returns a store with a direct connection, for the test itself. Its clock is
// ahead by the given time.
func (s *site) inspect(t *testing.T, ahead time.Duration) *secretstore.Store {
	t.Helper()
	stores, err := s.open(1, secretstore.WithClock(func() time.Time { return time.Now().Add(ahead) }))
	if err != nil {
		t.Fatal(err)
	}
	return stores[0]
}

// quoted reports whether an error's text holds a credential of a test's token.
func quoted(err error) bool { return strings.Contains(err.Error(), secretMark) }

// ended reports whether a context has ended, without waiting.
func ended(ctx context.Context) bool { return ctx.Err() != nil }
