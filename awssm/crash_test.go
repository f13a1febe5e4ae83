package awssm_test

import (
	"errors"
	"net/http"
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
	left    int
	carried bool
}

var errDead = errors.New("the process has ended")

func (d *dying) Do(r *http.Request) (*http.Response, error) {
	d.left--
	switch {
	case d.left > 0:
		return d.inner.Do(r)
	case d.left == 0 && d.carried:
		if reply, err := d.inner.Do(r); err == nil {
			_ = reply.Body.Close()
		}
	}
	return nil, errDead
}

// dying returns the store of a process that ends at a call.
func (w *world) dying(call int, carried bool) (*secretstore.Store, error) {
	client := w.service.Client(func(o *secretsmanager.Options) {
		o.HTTPClient, o.Retryer = &dying{w.service, call, carried}, aws.NopRetryer{}
	})
	return awssm.New(client, w.options()...)
}

func TestCrash(t *testing.T) {
	t.Parallel()
	adaptertest.Crash(t, worlds(awssmtest.Real()))
}
