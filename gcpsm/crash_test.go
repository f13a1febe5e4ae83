package gcpsm_test

import (
	"context"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// dying is the client of a process that ends after some calls: the last one is applied
// but its reply never read, or it is never sent.
type dying struct {
	gcpsm.API
	left    int
	carried bool
}

// errDead is an error that is not retried.
var errDead = status.Error(codes.Unauthenticated, "the process has ended")

func dies[In, Out any](d *dying, ctx context.Context, do func(context.Context, In, ...gax.CallOption) (Out, error), in In, options []gax.CallOption) (Out, error) { //nolint:revive // The context follows the process.
	var none Out
	d.left--
	switch {
	case d.left > 0:
		return do(ctx, in, options...)
	case d.left == 0 && d.carried:
		_, _ = do(ctx, in, options...)
	}
	return none, errDead
}

func (d *dying) AccessSecretVersion(ctx context.Context, in *secretmanagerpb.AccessSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return dies(d, ctx, d.API.AccessSecretVersion, in, options)
}

func (d *dying) AddSecretVersion(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return dies(d, ctx, d.API.AddSecretVersion, in, options)
}

func (d *dying) DestroySecretVersion(ctx context.Context, in *secretmanagerpb.DestroySecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return dies(d, ctx, d.API.DestroySecretVersion, in, options)
}

func (d *dying) EnableSecretVersion(ctx context.Context, in *secretmanagerpb.EnableSecretVersionRequest, options ...gax.CallOption) (*secretmanagerpb.SecretVersion, error) {
	return dies(d, ctx, d.API.EnableSecretVersion, in, options)
}

func (d *dying) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.CreateSecret, in, options)
}

func (d *dying) GetSecret(ctx context.Context, in *secretmanagerpb.GetSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.GetSecret, in, options)
}

func (d *dying) UpdateSecret(ctx context.Context, in *secretmanagerpb.UpdateSecretRequest, options ...gax.CallOption) (*secretmanagerpb.Secret, error) {
	return dies(d, ctx, d.API.UpdateSecret, in, options)
}

// dying returns the store of a process that ends at a call.
func (w *world) dying(call int, carried bool) (*secretstore.Store, error) {
	client, err := w.client()
	if err != nil {
		return nil, err
	}
	return gcpsm.New(&dying{client, call, carried}, project, w.options()...)
}

func TestCrash(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	adaptertest.Crash(t, worlds(gcpsmtest.Real()))
}
