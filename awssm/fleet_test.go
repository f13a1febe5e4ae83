package awssm_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

// onceRedeemer is a provider of which each refresh token can be redeemed once.
type onceRedeemer struct {
	requests atomic.Int64
	spent    sync.Map
}

func (r *onceRedeemer) Redeem(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	n := r.requests.Add(1)
	if _, again := r.spent.LoadOrStore(t.RefreshToken, true); again {
		return tokenstore.OAuthToken{}, tokensource.ErrNeedsConsent
	}
	return tokenstore.OAuthToken{
		AccessToken: fmt.Sprint("access-", n), RefreshToken: fmt.Sprint("refresh-", n), Expiry: time.Now().Add(time.Hour),
	}, nil
}

// TestFleetRefreshesOnce lets 256 goroutines over 32 stores meet an expired token at once,
// under the service's quotas: one redemption, everybody gets the new token, and few versions
// are written.
func TestFleetRefreshesOnce(t *testing.T) {
	t.Parallel()
	config := awssmtest.Real()
	config.Latency = 0 // The clock moves with the real time, in which the fleet waits.
	clock := awssmtest.NewClock()
	service := awssmtest.New(config, clock)
	ticking := make(chan struct{})
	t.Cleanup(func() { close(ticking) })
	go func() {
		const tick = 10 * time.Millisecond
		for {
			select {
			case <-ticking:
				return
			case <-time.After(tick):
				clock.Advance(tick)
			}
		}
	}()
	sleep := func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	redeemer := &onceRedeemer{}
	expired := tokenstore.OAuthToken{
		UserName: "u", ClientID: "c", ClientSecret: "s", RefreshToken: "refresh-0", AccessToken: "access-0",
		Expiry: time.Now().Add(-time.Minute),
	}
	var sources []*tokensource.Source
	for i := range 32 {
		store, err := awssm.New(service, awssm.WithClock(clock.Now, sleep), awssm.WithStoreOptions(secretstore.WithRotating()))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := store.SaveToken(t.Context(), expired); err != nil {
				t.Fatal(err)
			}
		}
		source, err := tokensource.New(store, redeemer)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source)
	}
	before := service.Calls()["PutSecretValue"]

	var fleet sync.WaitGroup
	for i := range 256 {
		fleet.Go(func() {
			got, err := sources[i%len(sources)].Token(t.Context(), tokenstore.OAuthToken{UserName: "u"})
			if err != nil || got.AccessToken != "access-1" {
				t.Errorf("goroutine %d: access token %q, %v", i, got.AccessToken, err)
			}
		})
	}
	fleet.Wait()
	for _, s := range sources {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if n := redeemer.requests.Load(); n != 1 {
		t.Errorf("%d redemptions, want 1", n)
	}
	versions := service.Calls()["PutSecretValue"] - before
	t.Logf("%d puts", versions)
	if versions < 2 || versions > 3 {
		t.Errorf("%d puts, want 2 or 3", versions)
	}
}
