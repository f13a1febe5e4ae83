package gcpsm_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// inWorld is a driver together with the service on which it works.
type inWorld struct {
	driver.Secrets
	world *world
}

func (i inWorld) Unwrap() driver.Secrets { return i.Secrets }

// worlds makes one service after the other, all on one clock.
type worlds struct {
	config gcpsmtest.Config
	clock  *gcpsmtest.Clock
}

func (ws *worlds) fresh(t testing.TB) driver.Secrets {
	w := newWorld(t, ws.config)
	w.clock, w.service = ws.clock, gcpsmtest.New(ws.config, ws.clock)
	s, err := w.secrets()
	if err != nil {
		t.Fatal(err)
	}
	return inWorld{s, w}
}

func (ws *worlds) service() enginetest.Service {
	return enginetest.Service{
		Handle: func(s driver.Secrets) (driver.Secrets, error) {
			first, ok := driver.As[inWorld](s)
			if !ok {
				return nil, errors.New("not a driver of this test")
			}
			again, err := first.world.secrets()
			return inWorld{again, first.world}, err
		},
		Edit: func(ctx context.Context, s driver.Secrets, name string, data []byte) error {
			first, ok := driver.As[inWorld](s)
			if !ok {
				return errors.New("not a driver of this test")
			}
			return first.world.edit(ctx, s, name, data)
		},
		Now: ws.clock.Now, Sleep: ws.clock.Sleep, Settle: 2 * ws.config.Stale,
	}
}

func documents(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
	return secretstore.New(secrets, append([]secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex()}, options...)...)
}

// long is n, or the number for a run that may take its time.
func long(n, whole int) int {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return whole
	}
	return n
}

func TestCrashSuite(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	ws := &worlds{config: gcpsmtest.Real(), clock: gcpsmtest.NewClock()}
	enginetest.Crash(t, ws.fresh, documents, enginetest.CrashOptions{Service: ws.service(), Every: long(41, 1)})
}

func TestModelSuite(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gcpsmtest.Config{"real": gcpsmtest.Real(), "unpleasant": gcpsmtest.Unpleasant()} {
		t.Run(name, func(t *testing.T) {
			ws := &worlds{config: config, clock: gcpsmtest.NewClock()}
			enginetest.Model(t, ws.fresh, documents, enginetest.ModelOptions{
				Service: ws.service(), Operations: long(250, 10000), WithoutAccessIndex: true,
			})
		})
	}
}
