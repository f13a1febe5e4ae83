// A crowd of processes that save one token at once, in the time that their calls take.

package awssm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// paced answers each request after the time that a call takes, so that the calls of
// several processes overlap.
type paced struct {
	service *awssmtest.Service
	took    time.Duration
}

func (p paced) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(p.took/4 + rand.N(p.took))
	reply, err := p.service.Do(r)
	time.Sleep(p.took / 4)
	return reply, err
}

// crowd saves one token from n processes at once, each with an access token of its own.
func crowd(t *testing.T, config awssmtest.Config, n int, save func(context.Context, *secretstore.Store, tokenstore.OAuthToken) error) (got outcome) {
	t.Helper()
	config.Latency = 0 // A call takes its time in paced.
	clock := awssmtest.NewClock()
	w := newWorldOn(config, clock)
	ctx, cancel := context.WithCancel(t.Context())
	var ticking sync.WaitGroup
	defer ticking.Wait()
	defer cancel()
	ticking.Go(func() {
		for began := time.Now(); ctx.Err() == nil; began = time.Now() {
			time.Sleep(5 * time.Millisecond)
			clock.Advance(time.Since(began))
		}
	})
	patient := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 20 // Of 50 writes a second.
		o.RateLimiter = ratelimit.None
	})
	open := func() *secretstore.Store {
		client := w.service.Client(func(o *secretsmanager.Options) {
			o.HTTPClient, o.Retryer = paced{w.service, 40 * time.Millisecond}, patient
		})
		store, err := awssm.New(client)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	token := adaptertest.Token("ada")
	saved, err := open().SaveToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := awssm.SecretName("tokenstore/tokens/" + saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	before := w.service.Versions(secret)
	results := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		store, mine := open(), token
		mine.AccessToken = fmt.Sprint("1000.access.by-", i)
		wg.Go(func() {
			<-start
			results[i] = save(t.Context(), store, mine)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range results {
		switch {
		case err == nil:
			got.effective++
		case errors.Is(err, tokenstore.ErrConflict):
			got.conflicts++
		case errors.Is(err, tokenstore.ErrQuota):
			got.quota++
		default:
			t.Error(err)
		}
	}
	got.versions = w.service.Versions(secret) - before
	t.Logf("%d processes: %+v; %v", n, got, w.service.Calls())
	return got
}

// Of many processes that save one token at once, each version is a save that others
// overwrite; a save that has met conflicts for a while, and was overwritten by a single
// write, is done without a version. So nobody is refused by the limit of a day's versions.
func TestCrowd(t *testing.T) {
	saves := map[string]func(context.Context, *secretstore.Store, tokenstore.OAuthToken) error{
		"SaveToken": func(ctx context.Context, s *secretstore.Store, token tokenstore.OAuthToken) error {
			_, err := s.SaveToken(ctx, token)
			return err
		},
		"SaveTokens": func(ctx context.Context, s *secretstore.Store, token tokenstore.OAuthToken) error {
			_, err := s.SaveTokens(ctx, []tokenstore.OAuthToken{token})
			return err
		},
	}
	for _, c := range []struct{ processes, versions int }{
		{80, awssmtest.Real().Versions},
		{128, awssmtest.Real().Versions},
		{128, 0},
	} {
		for name, save := range saves {
			t.Run(fmt.Sprintf("%d processes, %d versions, %s", c.processes, c.versions, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					config := awssmtest.Real()
					config.Versions = c.versions
					got := crowd(t, config, c.processes, save)
					if got.effective < c.processes {
						t.Errorf("%d saves succeeded: %d met too many conflicts, %d were refused by the quota", got.effective, got.conflicts, got.quota)
					}
					if most := c.processes * 6 / 5; got.versions > most {
						t.Errorf("%d versions", got.versions)
					}
				})
			})
		}
	}
}

// outcome is what became of a crowd's saves.
type outcome struct{ effective, conflicts, quota, versions int }
