package awssm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// TestCommonErrors checks the errors of any call, and a proxy's answers. (Source: the API
// reference's page CommonErrors.)
func TestCommonErrors(t *testing.T) {
	coded := func(code string) string { return fmt.Sprintf(`{"__type":%q,"message":"1000.hush"}`, code) }
	const page = "<html>1000.hush</html>"
	for _, c := range []struct {
		status int
		body   string
		kind   error
	}{
		{400, coded("AccessDeniedException"), driver.ErrDenied},
		{403, coded("ExpiredTokenException"), driver.ErrDenied},
		{403, coded("SomethingNew"), driver.ErrDenied},
		{400, coded("RequestExpired"), driver.ErrDenied},
		{400, coded("DecryptionFailure"), driver.ErrDenied},
		{400, coded("ThrottlingException"), driver.ErrThrottled},
		{400, coded("LimitExceededException"), driver.ErrQuota},
		{400, coded("InternalServiceError"), driver.ErrUnavailable},
		{500, coded("InternalFailure"), driver.ErrUnavailable},
		{503, coded("ServiceUnavailable"), driver.ErrUnavailable},
		{408, coded("RequestTimeoutException"), driver.ErrUnavailable},
		{400, coded("RequestTimeout"), driver.ErrUnavailable},
		{400, coded("RequestAbortedException"), driver.ErrUnavailable},
		{413, coded("RequestEntityTooLargeException"), driver.ErrTooLarge},
		{400, coded("ValidationError"), driver.ErrInvalid},
		{400, coded("UnknownOperationException"), driver.ErrNoContainer},
		{400, coded("1000 hush"), driver.ErrNoContainer},
		{400, `{"errors":["1000.hush"]}`, driver.ErrNoContainer},
		{400, page, driver.ErrUnavailable},
		{502, page, driver.ErrUnavailable},
		{504, page, driver.ErrUnavailable},
		{403, page, driver.ErrDenied},
		{407, page, driver.ErrDenied},
		{413, page, driver.ErrTooLarge},
		{429, page, driver.ErrThrottled},
		{200, page, driver.ErrUnavailable},
	} {
		client := awssmtest.New(awssmtest.Config{}, nil).Client(func(o *secretsmanager.Options) {
			o.HTTPClient, o.Retryer = answering{c.status, c.body}, aws.NopRetryer{}
		})
		s, err := NewSecrets(client)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(t.Context(), "a/x")
		if !errors.Is(err, c.kind) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%d %s: the error quotes the answer: %v", c.status, c.body, err)
		}
		var api smithy.APIError
		if c.body != page && (!errors.As(err, &api) || !strings.Contains(err.Error(), safeCode(api.ErrorCode()))) {
			t.Errorf("%d %s: the SDK's error is not reachable, or its code not shown: %v", c.status, c.body, err)
		}
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"1"}`, "")
	denied := b.another(b.service.As().Client())
	_, err := denied.Get(t.Context(), "a/x")
	if !errors.Is(err, driver.ErrDenied) || !strings.HasPrefix(err.Error(), "denied: GetSecretValue: AccessDeniedException") {
		t.Error(err)
	}
	_, err = b.secrets.Get(t.Context(), "a/none")
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("the SDK's error is not reachable: %v", err)
	}
	for i := range 60 { // Within a second: the clock moves less than that.
		b.clock.Advance(-25 * time.Millisecond)
		if _, err = b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: fmt.Sprint("no such revision, but long enough ", i)}); errors.Is(err, driver.ErrThrottled) {
			break
		}
		b.clock.Advance(-25 * time.Millisecond)
	}
	if !errors.Is(err, driver.ErrThrottled) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range []*secrets{b.secrets, b.another(b.service.Client())} {
		if _, err := s.Get(ctx, "a/x"); err != context.Canceled { //nolint:errorlint // It is returned as it is.
			t.Errorf("%T %v", err, err)
		}
		if _, err := s.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{}`), Revision: r}); err != context.Canceled { //nolint:errorlint // It is returned as it is.
			t.Errorf("%T %v", err, err)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	s := b.another(b.service.Client(func(o *secretsmanager.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("there are none")
		})
	}))
	if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrDenied) {
		t.Fatal(err)
	}
}

// A credential source that does not answer is temporary, and nothing was sent. One that
// answers that it has none is not.
func TestCredentialSourceThatDoesNotAnswerIsUnavailable(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, c := range map[string]struct{ err, want error }{
		"refused":   {refused, driver.ErrUnavailable},
		"in a URL":  {&url.Error{Op: "Post", URL: "https://hush.example/", Err: refused}, driver.ErrUnavailable},
		"timed out": {context.DeadlineExceeded, driver.ErrUnavailable},
		"broken":    {answered(http.StatusInternalServerError), driver.ErrUnavailable},
		"unknown":   {answered(http.StatusNotFound), driver.ErrDenied},
		"none":      {errors.New("hush"), driver.ErrDenied},
	} {
		b := newBench(t, awssmtest.Real())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, c.err })
		}))
		_, err := s.Get(t.Context(), "a/x")
		if !errors.Is(err, c.want) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "credentials") {
			t.Errorf("%s: %v", name, err)
		}
		var f *fault
		if errors.As(err, &f) && f.lost {
			t.Errorf("%s: it may have been applied: %v", name, err)
		}
	}
}

// A machine's metadata service, or a proxy in front of it, refuses credentials: a person
// has to fix that.
func TestMetadataServiceThatRefuses(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	for name, status := range map[string]int{"403": http.StatusForbidden, "404": http.StatusNotFound} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hush", status) }))
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
		cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-central-1"), config.WithLogger(logging.Nop{}))
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, awssmtest.Real())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) { o.Credentials = cfg.Credentials }))
		_, err = s.Get(t.Context(), "a/x")
		server.Close()
		if !errors.Is(err, driver.ErrDenied) || !strings.Contains(err.Error(), "no credentials") || !strings.Contains(err.Error(), "configure") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAStoreOfAURLWritesNoLog: the SDK's own would go to standard error, where a program that
// asks the command for JSON expects nothing else.
func TestAStoreOfAURLWritesNoLog(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hush", http.StatusForbidden) }))
	defer server.Close()
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
	log, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer func(before *os.File) { os.Stderr = before; _ = log.Close() }(os.Stderr)
	os.Stderr = log
	store, err := tokenstore.Open(t.Context(), "awssm://crm?region=eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindTokenByID(t.Context(), "1"); !errors.Is(err, tokenstore.ErrDenied) {
		t.Error(err)
	}
	if text, err := os.ReadFile(log.Name()); err != nil || len(text) > 0 {
		t.Errorf("standard error has %q, %v", text, err)
	}
}

// A region that does not exist is not worth a retry.
func TestRegionThatIsNone(t *testing.T) {
	for name, c := range map[string]struct{ host, endpoint string }{
		"region":   {"secretsmanager.nowhere-1.amazonaws.com", ""},
		"emulator": {"localstack", "http://localstack:4566"},
	} {
		b := newBench(t, awssmtest.Real())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) {
			o.HTTPClient = failing{&net.DNSError{Err: "no such host", Name: c.host, Server: "hush", IsNotFound: true}}
		}))
		_, err := s.Get(t.Context(), "a/x")
		want := map[bool]error{true: driver.ErrNoContainer, false: driver.ErrUnavailable}[name == "region"]
		if !errors.Is(err, want) || errors.Is(err, driver.ErrNotFound) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for region, says := range map[string]string{"": "no region", "not a region": "region is invalid", "hush\n": "region is invalid"} {
		client := awssmtest.New(awssmtest.Real(), nil).Client(func(o *secretsmanager.Options) { o.Region = region })
		if _, err := New(client); !errors.Is(err, tokenstore.ErrInvalidArgument) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("region %q: %v", region, err)
		}
	}
	if _, err := New((*secretsmanager.Client)(nil)); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Error(err)
	}
}

// failing sends nothing.
type failing struct{ err error }

func (f failing) Do(*http.Request) (*http.Response, error) { return nil, f.err }

// An error code or reason from a server or a proxy may hold anything.
func TestForeignTextsAreLeftOut(t *testing.T) {
	refused := &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("407 hush")}
	clients := map[string]interface {
		Do(*http.Request) (*http.Response, error)
	}{
		"code":  answering{http.StatusBadRequest, `{"__type":"1000.access hush","message":"hush"}`},
		"long":  answering{http.StatusBadRequest, `{"__type":"` + strings.Repeat("hush", 30) + `"}`},
		"proxy": failing{refused}, "url": failing{&url.Error{Op: "Post", URL: "http://hush", Err: refused}}, "other": failing{errors.New("hush")},
	}
	for name, client := range clients {
		b := newBench(t, awssmtest.Real())
		s := b.another(b.service.Client(func(o *secretsmanager.Options) { o.HTTPClient = client }))
		if _, err := s.Get(t.Context(), "a/x"); err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A call that names no secret, or one that does not exist yet, never finds a secret
// missing.
func TestNotFoundOfOtherThings(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	always := []string{"ResourceNotFoundException", "ResourceNotFoundException"}
	if _, err := b.script("CreateSecret", always...).Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{}`)}); !errors.Is(err, driver.ErrNoContainer) || errors.Is(err, driver.ErrNotFound) {
		t.Errorf("CreateSecret: %v", err)
	}
	for _, err := range b.script("ListSecrets", always...).List(t.Context(), "a/") {
		if !errors.Is(err, driver.ErrNoContainer) || errors.Is(err, driver.ErrNotFound) {
			t.Errorf("ListSecrets: %v", err)
		}
	}
	s := b.another(b.service.Client(func(o *secretsmanager.Options) { o.HTTPClient = answering{http.StatusNotFound, "<html>"} }))
	if _, err := s.Get(t.Context(), "a/x"); !errors.Is(err, driver.ErrNoContainer) {
		t.Errorf("a page that is not there: %v", err)
	}
}

// answered is the error of a credential source that answered with a status.
func answered(status int) error {
	reply := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithyhttp.ResponseError{Response: reply, Err: errors.New("hush")}
}
