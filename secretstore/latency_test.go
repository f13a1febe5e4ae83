// How long operations take on a service whose calls take 20 ms, in simulated time.

package secretstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/secretstore"
)

// roundTrip is how long a call takes. A batch is read as on AWS: 20 secrets a call, four calls
// at a time.
const roundTrip = 20 * time.Millisecond

func tripsOf(c drivertest.Call) time.Duration {
	if c.Method == drivertest.GetBatch {
		return roundTrip * time.Duration((len(c.Names)+79)/80)
	}
	return roundTrip
}

// TestGetTokensIsFasterThanALoop compares GetTokens of 1,000 tokens with what people write
// instead: list the names, and read one secret after the other.
func TestGetTokensIsFasterThanALoop(t *testing.T) {
	const n, want = 1000, 15
	filled := func(t *testing.T, form []secretstore.Option) *memory.Secrets {
		secrets := memory.New()
		if _, err := open(t, secrets.Batched(), form...).SaveTokens(t.Context(), newTokens(n)); err != nil {
			t.Fatal(err)
		}
		return secrets
	}
	for name, c := range map[string]struct {
		form    []secretstore.Option
		batched bool
	}{
		"entries":               {benchForms["entries"], false},
		"16 documents":          {benchForms["16 documents"], false},
		"16 documents, batched": {benchForms["16 documents"], true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				secrets := filled(t, c.form)
				var service driver.Secrets = secrets
				if c.batched {
					service = secrets.Batched()
				}
				service = drivertest.Delay(service, tripsOf, pause.For)
				begun := time.Now()
				for name, err := range service.List(t.Context(), "tokenstore/tokens/") {
					if err != nil {
						t.Fatal(err)
					}
					if _, err := service.Get(t.Context(), name); err != nil {
						t.Fatal(err)
					}
				}
				naive := time.Since(begun)
				begun = time.Now()
				all, err := open(t, service, c.form...).GetTokens(t.Context())
				if err != nil || len(all) != n {
					t.Fatalf("%d tokens, %v", len(all), err)
				}
				took := time.Since(begun)
				t.Logf("a loop takes %v, GetTokens %v: 1/%.1f", naive, took, float64(naive)/float64(took))
				if took*want > naive {
					t.Errorf("GetTokens takes %v, a loop %v: want at most 1/%d", took, naive, want)
				}
			})
		})
	}
}

// TestGetTokensEndsWithItsContext ends the context while the second chunk of 500 tokens is
// read, and while the first is: what was read is no answer, and nothing goes on reading.
func TestGetTokensEndsWithItsContext(t *testing.T) {
	secrets := memory.New()
	if _, err := open(t, secrets.Batched()).SaveTokens(t.Context(), newTokens(1600)); err != nil {
		t.Fatal(err)
	}
	for _, trips := range []int{0, 7, 14, 21, 28, 35} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(trips)*roundTrip+roundTrip/2)
			defer cancel()
			all, err := open(t, drivertest.Delay(secrets.Batched(), tripsOf, pause.For)).GetTokens(ctx)
			if !errors.Is(err, context.DeadlineExceeded) && len(all) != 1600 || errors.Is(err, context.DeadlineExceeded) && all != nil {
				t.Errorf("after %d round trips: %d tokens, %v", trips, len(all), err)
			}
		})
	}
}

// TestGetTokensDecodesWhileItReads holds back what belongs to the first chunk of 500 tokens
// after its batch, a single read of one that the batch left out, until the second batch is read.
func TestGetTokensDecodesWhileItReads(t *testing.T) {
	secrets := memory.New()
	if _, err := open(t, secrets.Batched()).SaveTokens(t.Context(), newTokens(700)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		service := &reticent{Batched: secrets.Batched(), second: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if all, err := open(t, service).GetTokens(ctx); err != nil || len(all) != 700 {
			t.Errorf("%d tokens, %v", len(all), err)
		}
	})
}

// reticent leaves a token out of the first batch of tokens, and answers a read of it when the
// second is read.
type reticent struct {
	memory.Batched
	mu      sync.Mutex
	batches int
	left    string
	second  chan struct{}
}

func (r *reticent) Unwrap() driver.Secrets { return r.Secrets }

func (r *reticent) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	found, err := r.Batched.GetBatch(ctx, names)
	if len(names) < 100 {
		return found, err // of the index
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.batches++; r.batches {
	case 1:
		r.left = found[0].Name
		return found[1:], err
	case 2:
		close(r.second)
	}
	return found, err
}

func (r *reticent) Get(ctx context.Context, name string) (driver.Secret, error) {
	r.mu.Lock()
	left := name == r.left
	r.mu.Unlock()
	if left {
		select {
		case <-r.second:
		case <-ctx.Done():
			return driver.Secret{}, ctx.Err()
		}
	}
	return r.Batched.Get(ctx, name)
}

// TestGetTokensFailsWithAChunk refuses to read the second and third chunk.
func TestGetTokensFailsWithAChunk(t *testing.T) {
	secrets := memory.New()
	if _, err := open(t, secrets.Batched()).SaveTokens(t.Context(), newTokens(1600)); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []int{1, 2, 3, 4} {
		batches := 0
		service := drivertest.Inject(secrets.Batched(), func(c drivertest.Call) drivertest.Outcome {
			if c.Method == drivertest.GetBatch {
				if batches++; batches == refused {
					return drivertest.Outcome{Err: driver.ErrThrottled}
				}
			}
			return drivertest.Outcome{}
		})
		all, err := open(t, service).GetTokens(t.Context())
		if !errors.Is(err, tokenstore.ErrThrottled) || all != nil || batches != refused {
			t.Errorf("batch %d refused: %d tokens, %v, after %d batches", refused, len(all), err, batches)
		}
	}
}
