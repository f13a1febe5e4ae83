package awssm_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// dying is a process that ends after some requests: the last one is applied but its reply
// never read, or it is never sent.
type dying struct {
	inner   *awssmtest.Service
	left    atomic.Int64
	carried bool
}

var errDead = errors.New("the process has ended")

func (d *dying) Do(r *http.Request) (*http.Response, error) {
	switch left := d.left.Add(-1); {
	case left > 0:
		return d.inner.Do(r)
	case left == 0 && d.carried:
		if reply, err := d.inner.Do(r); err == nil {
			_ = reply.Body.Close()
		}
	}
	return nil, errDead
}

// dying returns the store of a process that ends at a call.
func (w *world) dying(call int, carried bool) (*secretstore.Store, error) {
	process := &dying{inner: w.service, carried: carried}
	process.left.Store(int64(call))
	client := w.service.Client(func(o *secretsmanager.Options) { o.HTTPClient, o.Retryer = process, aws.NopRetryer{} })
	return awssm.New(client, w.options()...)
}

func TestCrash(t *testing.T) {
	t.Parallel()
	adaptertest.Crash(t, worlds(awssmtest.Real()))
}
