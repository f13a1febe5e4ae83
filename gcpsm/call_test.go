package gcpsm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// TestANameWithKMSIsNotAboutAKey lets a save lose under names that the service
// quotes when it says that the loser's version is destroyed: what is destroyed
// is stepped over, whatever the secret is called.
func TestANameWithKMSIsNotAboutAKey(t *testing.T) {
	for _, name := range []string{"tokenstore/tokens/abcdef", "tokenstore/tokens/abckmsdef", "kms-gw/tokens/a", "x/cryptoKeys/CryptoKey", "x/projects/kms"} {
		for _, location := range []string{"", "europe-west3"} {
			config := gcpsmtest.Real()
			config.Location = location
			b := newBench(t, config)
			client, err := b.client()
			b.noError(err)
			open := func() driver.Secrets {
				s, err := gcpsm.NewSecrets(client, project, append(b.options(), gcpsm.WithLocation(location))...)
				b.noError(err)
				return s
			}
			loser, winner := open(), open()
			r, err := loser.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{"n":"1"}`)})
			b.noError(err)
			_, err = winner.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{"n":"2"}`), Revision: r})
			b.noError(err)
			b.clock.Advance(2 * time.Second)
			if _, err = loser.Put(t.Context(), driver.Secret{Name: name, Data: []byte(`{"n":"3"}`), Revision: r}); !errors.Is(err, driver.ErrConflict) {
				t.Errorf("%s: the loser: %v", name, err)
			}
			b.clock.Advance(2 * time.Hour)
			if got, err := open().Get(t.Context(), name); err != nil || string(got.Data) != `{"n":"2"}` {
				t.Errorf("%s: %s, %v", name, got.Data, err)
			}
		}
	}
}

// bare answers accesses as a proxy does that sends an empty object.
type bare struct{ gcpsm.API }

func (bare) AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return &secretmanagerpb.AccessSecretVersionResponse{}, nil
}

func TestAReplyWithoutDataIsNoReply(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	client, err := b.client()
	b.noError(err)
	s, err := gcpsm.NewSecrets(bare{client}, project, b.options()...)
	b.noError(err)
	if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("get: %v", err)
	}
}

// source is where credentials come from, and fails.
type source struct{ err error }

func (s source) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return nil, s.err
}
func (source) RequireTransportSecurity() bool                    { return false }
func (s source) RoundTrip(*http.Request) (*http.Response, error) { return nil, s.err }

// TestCredentialsThatCannotBeFetchedNowAreNotDenied asks a source of credentials
// that cannot be reached, or that says so itself, for the same call may succeed a
// moment later; and one that refuses, for which it does not.
func TestCredentialsThatCannotBeFetchedNowAreNotDenied(t *testing.T) {
	unreachable := &url.Error{Op: "Post", URL: "https://127.0.0.1/token", Err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}}
	answer := func(code int) error {
		return &auth.Error{Response: &http.Response{StatusCode: code}, Body: []byte(`{"error":"s3cret"}`)}
	}
	for name, c := range map[string]struct{ err, want error }{
		"unreachable":          {fmt.Errorf("auth: cannot fetch token: %w", unreachable), driver.ErrUnavailable},
		"overloaded":           {answer(http.StatusServiceUnavailable), driver.ErrUnavailable},
		"asked too often":      {fmt.Errorf("credentials: %w", answer(http.StatusTooManyRequests)), driver.ErrUnavailable},
		"refused":              {answer(http.StatusBadRequest), driver.ErrDenied},
		"refused as forbidden": {answer(http.StatusForbidden), driver.ErrDenied},
	} {
		for transport, client := range map[string]*secretmanager.Client{"gRPC": overGRPC(t, source{c.err}), "REST": overREST(t, source{c.err})} {
			w := newWorld(t, gcpsmtest.Real())
			s, err := gcpsm.NewSecrets(client, project, w.options()...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Get(t.Context(), "a/x")
			if !errors.Is(err, c.want) || errors.Is(err, driver.ErrDenied) != errors.Is(c.want, driver.ErrDenied) {
				t.Errorf("%s, %s: %v, want %v", transport, name, err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "127.0.0.1")) {
				t.Errorf("%s, %s: the error holds the source's text: %v", transport, name, err)
			}
		}
	}
}

func overGRPC(t *testing.T, s source) *secretmanager.Client {
	t.Helper()
	address, stop, err := newWorld(t, gcpsmtest.Real()).service.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(s))
	if err != nil {
		t.Fatal(err)
	}
	client, err := secretmanager.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func overREST(t *testing.T, s source) *secretmanager.Client {
	t.Helper()
	client, err := secretmanager.NewRESTClient(t.Context(), option.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// locked answers accesses as the service does when it cannot use the key.
type locked struct {
	gcpsm.API
	message string
}

func (l locked) AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return nil, status.Error(codes.FailedPrecondition, l.message)
}

// TestAKeyThatCannotBeUsedIsDenied: a secret that is encrypted with it is there,
// and not to be stepped over.
func TestAKeyThatCannotBeUsedIsDenied(t *testing.T) {
	const key = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"
	for _, message := range []string{
		"Cloud KMS: the key is disabled.",
		"The resource [" + key + "] is not enabled, current state is: DISABLED.",
		"Secret Version [projects/1/secrets/a--x/versions/1] cannot be decrypted with [" + key + "].",
	} {
		b := newBench(t, gcpsmtest.Real())
		client, err := b.client()
		b.noError(err)
		s, err := gcpsm.NewSecrets(locked{client, message}, project, b.options()...)
		b.noError(err)
		if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrDenied) || errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: %v", message, err)
		}
	}
}
