package gcpsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"

	"example.com/tokenstore/driver"
)

// API is what is needed of the service's client. *secretmanager.Client, Google's
// client, implements it, whether it comes from NewClient or NewRESTClient.
type API interface {
	AccessSecretVersion(context.Context, *secretmanagerpb.AccessSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error)
	AddSecretVersion(context.Context, *secretmanagerpb.AddSecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	DestroySecretVersion(context.Context, *secretmanagerpb.DestroySecretVersionRequest, ...gax.CallOption) (*secretmanagerpb.SecretVersion, error)
	CreateSecret(context.Context, *secretmanagerpb.CreateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	GetSecret(context.Context, *secretmanagerpb.GetSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	UpdateSecret(context.Context, *secretmanagerpb.UpdateSecretRequest, ...gax.CallOption) (*secretmanagerpb.Secret, error)
	DeleteSecret(context.Context, *secretmanagerpb.DeleteSecretRequest, ...gax.CallOption) error
	ListSecrets(context.Context, *secretmanagerpb.ListSecretsRequest, ...gax.CallOption) *secretmanager.SecretIterator
}

var _ API = (*secretmanager.Client)(nil)

const (
	// tries is how often a call is made that the service refuses for a quota, or,
	// if it only reads, that got no answer.
	tries = 6
	// quotaWait and answerWait are the first pauses; they double.
	quotaWait  = 500 * time.Millisecond
	answerWait = 50 * time.Millisecond
)

// repeat says what of a failed call may be made again.
type repeat int

const (
	never        repeat = iota // Its caller looks first.
	ifUnanswered               // A read, or a write whose repetition changes nothing.
)

// operation is a method of the client.
type operation[In, Out any] func(context.Context, In, ...gax.CallOption) (Out, error)

// call makes one call of the service. The client's own retryer is switched off
// for it: it would repeat writes if somebody has set it so, and its first pause
// for a read is two seconds.
func call[In, Out any](ctx context.Context, s *settings, op string, again repeat, do operation[In, Out], in In) (Out, *fault) {
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			var none Out
			return none, &fault{op: op, code: contextEnded, kind: err, err: err}
		}
		out, err := do(ctx, in, once)
		if err == nil {
			return out, nil
		}
		f := newFault(ctx, op, err)
		wait := quotaWait
		switch {
		case try == tries, again == never:
			return out, f
		case errors.Is(f.kind, driver.ErrThrottled):
		case errors.Is(f.kind, driver.ErrUnavailable) && again == ifUnanswered:
			wait = answerWait
		default:
			return out, f
		}
		wait <<= try - 1
		wait += rand.N(wait/2 + 1) //nolint:gosec // No secret, only spread.
		if err := s.sleep(ctx, wait); err != nil {
			return out, &fault{op: op, code: contextEnded, kind: err, err: err}
		}
	}
}

// once keeps the client from repeating a call.
var once = gax.WithRetry(func() gax.Retryer { return nil })
