// The SDK's own client over the service in memory, so that tests exercise the real
// client's middleware, retries and errors.

package awssmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// Client returns a client of the SDK connected to the service in memory as this
// principal. Its credentials and region are made up. It has the SDK's retryer, without
// the pauses between attempts; options may set another.
func (p *Principal) Client(options ...func(*secretsmanager.Options)) *secretsmanager.Client {
	o := secretsmanager.Options{
		Region:     "eu-central-1",
		HTTPClient: p,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "TESTKEY", SecretAccessKey: "test"}, nil
		}),
		Retryer: hasty{retry.NewStandard(), p.service.clock},
	}
	return secretsmanager.New(o, options...)
}

// Do answers a request in the service's protocol, JSON 1.1. It makes a
// principal the HTTP client of an SDK.
func (p *Principal) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	out, err := p.dispatch(r.Context(), op, body)
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		out, err = json.Marshal(map[string]string{"__type": api.ErrorCode(), "message": api.ErrorMessage()})
		status := http.StatusBadRequest
		if api.ErrorFault() == smithy.FaultServer {
			status = http.StatusInternalServerError
		}
		return reply(r, status, out), err
	case err != nil:
		return nil, err
	}
	return reply(r, http.StatusOK, out), nil
}

func reply(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// dispatch decodes a request, makes the call and encodes the reply.
func (p *Principal) dispatch(ctx context.Context, op string, body []byte) ([]byte, error) {
	switch op {
	case "CreateSecret":
		return serve(ctx, body, p.CreateSecret)
	case "GetSecretValue":
		return serve(ctx, body, p.GetSecretValue)
	case "BatchGetSecretValue":
		return serve(ctx, body, p.BatchGetSecretValue)
	case "DescribeSecret":
		return serve(ctx, body, p.DescribeSecret)
	case "PutSecretValue":
		return serve(ctx, body, p.PutSecretValue)
	case "UpdateSecretVersionStage":
		return serve(ctx, body, p.UpdateSecretVersionStage)
	case "DeleteSecret":
		return serve(ctx, body, p.DeleteSecret)
	case "RestoreSecret":
		return serve(ctx, body, p.RestoreSecret)
	case "ListSecrets":
		return serve(ctx, body, p.ListSecrets)
	}
	return nil, &smithy.GenericAPIError{Code: "UnknownOperationException", Message: op}
}

func serve[In, Out any](ctx context.Context, body []byte, do func(context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error)) ([]byte, error) {
	in := new(In)
	if err := json.Unmarshal(body, in); err != nil {
		return nil, &smithy.GenericAPIError{Code: "SerializationException", Message: "not a request"}
	}
	out, err := do(ctx, in)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(plain, &fields); err != nil {
		return nil, err
	}
	delete(fields, "ResultMetadata")
	return json.Marshal(wire(fields))
}

// wire turns encoding/json's form of the SDK's types into the protocol's: unset fields are
// left out, and times are numbers of seconds.
func wire(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for k, field := range v {
			text, isText := field.(string)
			switch {
			case field == nil:
				delete(v, k)
			case isText && strings.HasSuffix(k, "Date"):
				if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
					v[k] = float64(t.UnixMilli()) / 1000
				}
			default:
				v[k] = wire(field)
			}
		}
	case []any:
		for i := range v {
			v[i] = wire(v[i])
		}
	}
	return value
}

// hasty is the SDK's standard retryer on the service's clock: the pause before a retry
// passes at once.
type hasty struct {
	*retry.Standard
	clock *Clock
}

// RetryDelay moves the clock instead of waiting.
func (h hasty) RetryDelay(attempt int, err error) (time.Duration, error) {
	d, delayErr := h.Standard.RetryDelay(attempt, err)
	h.clock.Advance(d)
	return 0, delayErr
}
