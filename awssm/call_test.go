package awssm

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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// TestCommonErrors are those that any call may end with, and what a proxy in
// between answers. (Source: the API reference's page CommonErrors.)
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
		if c.body != page && (!errors.As(err, &api) || !strings.Contains(err.Error(), api.ErrorCode())) {
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
	for range 60 { // In one second, since nothing moves the clock so fast.
		b.clock.Advance(-25 * time.Millisecond)
		if _, err = b.secrets.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: "no such revision, but long enough"}); errors.Is(err, driver.ErrThrottled) {
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

// The source of the credentials does not answer: that passes, and nothing was
// sent. Where it answers that there are none, it does not.
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
			t.Errorf("%s: it may have been carried out: %v", name, err)
		}
	}
}

// answered is the error of a credential source that answered so.
func answered(status int) error {
	reply := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithyhttp.ResponseError{Response: reply, Err: errors.New("hush")}
}
