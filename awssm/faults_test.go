package awssm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// answering answers every request with the same status and body.
type answering struct {
	status int
	body   string
}

func (a answering) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

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
