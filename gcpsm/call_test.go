package gcpsm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/compute/metadata"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
)

// TestANameWithKMSIsNotAboutAKey lets a save lose, with a secret whose name the service
// quotes when it says that the loser's version is destroyed: a destroyed version is
// skipped, whatever the secret's name.
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

// source is a credential source that fails.
type source struct{ err error }

func (s source) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return nil, s.err
}
func (source) RequireTransportSecurity() bool                    { return false }
func (s source) RoundTrip(*http.Request) (*http.Response, error) { return nil, s.err }

// TestCredentialsThatCannotBeFetchedNowAreNotDenied uses credential sources that cannot
// be reached or report a temporary failure, for which the same call may succeed later,
// and one that refuses, for which it may not.
func TestCredentialsThatCannotBeFetchedNowAreNotDenied(t *testing.T) {
	unreachable := &url.Error{Op: "Post", URL: "https://127.0.0.1/token", Err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}}
	answer := func(code int) error {
		return &auth.Error{Response: &http.Response{StatusCode: code}, Body: []byte(`{"error":"s3cret"}`)}
	}
	machine := func(code int) error { // Wrapped as by credentials.computeProvider.
		return fmt.Errorf("credentials: cannot fetch token: %w", &metadata.Error{Code: code, Message: "s3cret"})
	}
	exchange := func(code int) error { return fmt.Errorf("credentials: status code %d: %s", code, `{"error":"s3cret"}`) }
	for name, c := range map[string]struct{ err, want error }{
		"the machine has none":                     {machine(http.StatusForbidden), driver.ErrDenied},
		"the machine's service is down":            {machine(http.StatusServiceUnavailable), driver.ErrUnavailable},
		"the machine's service fails":              {machine(http.StatusInternalServerError), driver.ErrUnavailable},
		"the machine's service is asked too often": {machine(http.StatusTooManyRequests), driver.ErrUnavailable},
		"the exchange refuses":                     {exchange(http.StatusForbidden), driver.ErrDenied},
		"the exchange is down":                     {exchange(http.StatusBadGateway), driver.ErrUnavailable},
		"a gateway before it is down":              {answer(http.StatusBadGateway), driver.ErrUnavailable},
		"no account":                               {fmt.Errorf("credentials: cannot fetch token: %w", metadata.NotDefinedError("instance/service-accounts/default/token")), driver.ErrDenied},
		"unreachable":                              {fmt.Errorf("auth: cannot fetch token: %w", unreachable), driver.ErrUnavailable},
		"overloaded":                               {answer(http.StatusServiceUnavailable), driver.ErrUnavailable},
		"asked too often":                          {fmt.Errorf("credentials: %w", answer(http.StatusTooManyRequests)), driver.ErrUnavailable},
		"refused":                                  {answer(http.StatusBadRequest), driver.ErrDenied},
		"refused as forbidden":                     {answer(http.StatusForbidden), driver.ErrDenied},
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

// TestAKeyThatCannotBeUsedIsDenied: a secret encrypted with the key still exists, and
// must not be skipped.
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

// answering answers every call with an error.
type answering struct {
	gcpsm.API
	err error
}

func (a answering) AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return nil, a.err
}

func (a answering) AddSecretVersion(context.Context, *secretmanagerpb.AddSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return nil, a.err
}

func (a answering) CreateSecret(context.Context, *secretmanagerpb.CreateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return nil, a.err
}

func (a answering) GetSecret(context.Context, *secretmanagerpb.GetSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return nil, a.err
}

// TestOnlyAnAnswerAboutThisSecretIsAbsence answers reads, writes and deletions with the
// status of absence for a project, a location, a method, another secret and a key: none
// of these means that the secret does not exist.
func TestOnlyAnAnswerAboutThisSecretIsAbsence(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	client, err := b.client()
	b.noError(err)
	revision := b.put(`{"n":"1"}`, "")
	for _, code := range []codes.Code{codes.NotFound, codes.Unimplemented} {
		for _, message := range []string{
			"Project [projects/no-such] not found.",
			"Project 'secret-project' not found or deleted.",
			"Location europe-west99 is not found or access is unauthorized.",
			"Secret Manager is not served in this region.",
			"Method not found.", "Not Found", "Requested entity was not found.", "",
			"Secret [projects/1/secrets/a--xy] not found or has no versions.",
			"CryptoKey [projects/p/locations/l/keyRings/r/cryptoKeys/secret] not found.",
		} {
			s, err := gcpsm.NewSecrets(answering{client, status.Error(code, message)}, project, b.options()...)
			b.noError(err)
			_, get := s.Get(t.Context(), "a/x")
			_, create := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{}`)})
			_, replace := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{}`), Revision: revision})
			for what, err := range map[string]error{"get": get, "create": create, "replace": replace, "delete": s.Delete(t.Context(), "a/x", revision)} {
				if !errors.Is(err, driver.ErrNoContainer) || errors.Is(err, driver.ErrNotFound) || tokenstore.Retryable(err) {
					t.Errorf("%v %q: %s: %v", code, message, what, err)
				} else if strings.Contains(err.Error(), "no-such") || strings.Contains(err.Error(), "secret-project") {
					t.Errorf("%q: %s quotes the message: %v", message, what, err)
				}
			}
		}
	}
	for _, message := range []string{"Secret [projects/1/secrets/a--x] not found or has no versions.", "Secret Version [projects/1/locations/l/secrets/a--x/versions/1] not found.", "secret not found"} {
		s, err := gcpsm.NewSecrets(answering{client, status.Error(codes.NotFound, message)}, project, b.options()...)
		b.noError(err)
		if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// TestWritesMeetAMissingProject checks that reads and writes report different errors for
// a project deleted while a process runs and for a secret that a person removes.
func TestWritesMeetAMissingProject(t *testing.T) {
	noProject := status.Error(codes.NotFound, "Project [projects/1] not found.")
	noSecret := status.Error(codes.NotFound, "Secret [projects/1/secrets/a--x] not found.")
	policy := status.Error(codes.FailedPrecondition, "Constraint constraints/gcp.resourceLocations violated.")
	for name, c := range map[string]struct {
		method   string
		err      error
		replaces bool
		want     error
	}{
		"no project for a new secret":        {"CreateSecret", noProject, false, driver.ErrNoContainer},
		"a policy forbids the location":      {"CreateSecret", policy, false, driver.ErrDenied},
		"no project for the first version":   {"AddSecretVersion", noProject, false, driver.ErrNoContainer},
		"no project for the next version":    {"AddSecretVersion", noProject, true, driver.ErrNoContainer},
		"the secret was removed":             {"AddSecretVersion", noSecret, true, driver.ErrConflict},
		"it is removed again and again":      {"AddSecretVersion", noSecret, false, driver.ErrConflict},
		"no project to revive a marked name": {"UpdateSecret", noProject, false, driver.ErrUnavailable},
	} {
		b := newBench(t, gcpsmtest.Real())
		revision := ""
		if c.replaces {
			revision = b.put(`{"n":"1"}`, "")
		}
		if c.method == "UpdateSecret" {
			b.noError(b.s.Delete(t.Context(), "a/x", b.put(`{"n":"1"}`, "")))
		}
		s := b.failing(func(method string, _ any) error {
			if method == c.method {
				return c.err
			}
			return nil
		})
		_, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: revision})
		if !errors.Is(err, c.want) || errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestAPageIsNotAbsence connects both clients to a web server without such a page.
func TestAPageIsNotAbsence(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	for _, transport := range []string{"grpc", "rest"} {
		store, err := tokenstore.Open(t.Context(), "gcpsm://my-project/x?transport="+transport+"&endpoint="+server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		_, find := store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "ada"})
		_, list := store.GetTokens(t.Context())
		for what, err := range map[string]error{"find": find, "list": list} {
			if err == nil || errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("%s, %s: %v", transport, what, err)
			}
		}
	}
}

// endless answers for every number, or with the same page every time.
type endless struct{ gcpsm.API }

func (endless) AccessSecretVersion(_ context.Context, in *secretmanagerpb.AccessSecretVersionRequest, _ ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	if strings.HasSuffix(in.GetName(), "/latest") {
		return nil, status.Error(codes.NotFound, "Secret ["+strings.TrimSuffix(in.GetName(), "/versions/latest")+"] not found or has no versions.")
	}
	return nil, status.Error(codes.FailedPrecondition, "Secret Version is in DESTROYED state.")
}

// TestNothingIsReadForEver uses services that always have more, without a deadline.
func TestNothingIsReadForEver(t *testing.T) {
	b := newBench(t, gcpsmtest.Real())
	b.put(`{}`, "")
	client, err := b.client()
	b.noError(err)
	s, err := gcpsm.NewSecrets(endless{client}, project, b.options()...)
	b.noError(err)
	if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a secret without a last version: %v", err)
	}
	page := `{"secrets":[],"nextPageToken":"again"}`
	again := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) })
	server := httptest.NewServer(again)
	defer server.Close()
	rest, err := secretmanager.NewRESTClient(t.Context(), option.WithEndpoint(server.URL), option.WithoutAuthentication())
	b.noError(err)
	defer rest.Close()
	if s, err = gcpsm.NewSecrets(rest, project, b.options()...); err != nil {
		t.Fatal(err)
	}
	for _, err = range s.List(t.Context(), "a/") {
	}
	if !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a list without an end: %v", err)
	}
}

// TestAListEndsWithItsContext uses a server that never answers, over REST.
func TestAListEndsWithItsContext(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	client, err := secretmanager.NewRESTClient(t.Context(), option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := gcpsm.NewSecrets(client, project)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	for _, err = range s.List(ctx, "a/") {
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the list ends with %v", err)
	}
}
