// The engine's suites over an adapter's fake service.

package adaptertest

import (
	"context"
	"errors"
	"iter"
	"os"
	"path"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

// World is a fake service, initially empty, with its users. It has everything in which
// adapters differ for these tests.
type World struct {
	// Store returns the store of a new process, as users get it.
	Store func() (*secretstore.Store, error)
	// Secrets returns the driver of a new process.
	Secrets func() (driver.Secrets, error)
	// Dying returns the store of a process that ends at the call with this number: either
	// the call takes effect and its reply is not read, or the call is not sent.
	Dying func(call int, carried bool) (*secretstore.Store, error)
	// Edit writes a secret as a person does, Remove deletes it, and Restore puts back the
	// data before its last write.
	Edit            func(ctx context.Context, name string, data []byte) error
	Remove, Restore func(ctx context.Context, name string) error
	// NoContainer returns a driver on a container that does not exist, RefusedBatch one
	// whose batches are refused. They are nil if the service has no such thing.
	NoContainer, RefusedBatch func() (driver.Secrets, error)
	// Plant stores secrets of others, and returns a function that checks them.
	Plant func(context.Context) (check func(context.Context) error, err error)
	// Clock is the service's clock, which the pauses of its users advance.
	Clock *drivertest.Clock
}

// Long returns n, or whole if TOKENSTORE_LONG asks for the long run.
func Long(n, whole int) int {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return whole
	}
	return n
}

// inWorld is a driver together with the service on which it works.
type inWorld struct {
	driver.Secrets
	world World
}

func (i inWorld) Unwrap() driver.Secrets { return i.Secrets }

var errNotOurs = errors.New("not a driver of this test")

// from returns the world of a driver.
func from(s driver.Secrets) (World, error) {
	i, ok := driver.As[inWorld](s)
	if !ok {
		return World{}, errNotOurs
	}
	return i.world, nil
}

// another returns another driver in the world of s.
func another(s driver.Secrets, open func(World) func() (driver.Secrets, error)) (driver.Secrets, error) {
	w, err := from(s)
	if err != nil {
		return nil, err
	}
	if open(w) == nil {
		return nil, errors.New("there is no such driver of this service")
	}
	secrets, err := open(w)()
	return inWorld{secrets, w}, err
}

// Suite returns the suite of an adapter that keeps its index in one document, without
// access tokens. newWorld returns a world on the given clock; stale is how long its reads
// may return an old state.
func Suite(newWorld func(t testing.TB, clock *drivertest.Clock) World, stale time.Duration) enginetest.Suite {
	clock := drivertest.NewClock()
	return enginetest.Suite{
		New: func(t testing.TB) driver.Secrets {
			w := newWorld(t, clock)
			secrets, err := w.Secrets()
			if err != nil {
				t.Fatal(err)
			}
			return inWorld{secrets, w}
		},
		Engine: func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
			return secretstore.New(secrets, append([]secretstore.Option{secretstore.WithDocument(1), secretstore.WithoutAccessIndex()}, options...)...)
		},
		Service: enginetest.Service{
			Handle: func(s driver.Secrets) (driver.Secrets, error) {
				return another(s, func(w World) func() (driver.Secrets, error) { return w.Secrets })
			},
			Edit: func(ctx context.Context, s driver.Secrets, name string, data []byte) error {
				w, err := from(s)
				if err != nil {
					return err
				}
				return w.Edit(ctx, name, data)
			},
			Now: clock.Now, Sleep: clock.Sleep, Settle: 2 * stale,
		},
		Remove: func(ctx context.Context, s driver.Secrets, name string) error {
			w, err := from(s)
			if err != nil {
				return err
			}
			return w.Remove(ctx, name)
		},
		Restore: func(ctx context.Context, s driver.Secrets, name string) error {
			w, err := from(s)
			if err != nil {
				return err
			}
			return w.Restore(ctx, name)
		},
		NoContainer: func(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
			return another(s, func(w World) func() (driver.Secrets, error) { return w.NoContainer })
		},
		RefusedBatch: func(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
			return another(s, func(w World) func() (driver.Secrets, error) { return w.RefusedBatch })
		},
		ModelOptions: enginetest.ModelOptions{WithoutAccessIndex: true},
	}
}

// Driver runs conformance.Driver on the driver of a world. If settles is set, a read
// that returns an old state is retried five seconds later.
func Driver(t *testing.T, newWorld func(t testing.TB, clock *drivertest.Clock) World, settles bool, options ...conformance.DriverOption) {
	t.Helper()
	s := Suite(newWorld, 0)
	if settles {
		options = append(options, conformance.DriverSettle(func(ctx context.Context) error { return s.Sleep(ctx, 5*time.Second) }))
	}
	s.DriverOptions = options
	s.Driver(t)
}

// Store runs conformance.Store on the stores of worlds, one for each case.
func Store(t *testing.T, newWorld func(t testing.TB, clock *drivertest.Clock) World, tokens int, options ...conformance.Option) {
	t.Helper()
	var w World
	conformance.Store(t, func(t testing.TB) tokenstore.Store {
		w = newWorld(t, drivertest.NewClock())
		store, err := w.Store()
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, append(storeOptions(&w, tokens), options...)...)
}

// StoreInTime runs cases of the suite for stores in which calls made at the same time take as
// long as the slowest of them, as in life. On the clock of Store each wait of one caller also
// ages what the others are doing, and a service's rules about time do not allow for that.
func StoreInTime(t *testing.T, newWorld func(t testing.TB, clock *drivertest.Clock) World, tokens int, cases ...string) {
	t.Helper()
	var all []string
	for _, c := range conformance.Cases() {
		all = append(all, c.Name)
	}
	inTime(t, all, cases, func(t *testing.T, name string) iter.Seq[conformance.Result] {
		var w World
		options := append(storeOptions(&w, tokens), conformance.WithOnly(name), conformance.WithPatience(time.Hour))
		return conformance.Run(t.Context(), func(context.Context) (tokenstore.Store, error) {
			w = newWorld(t, drivertest.NewWallClock())
			return w.Store()
		}, options...)
	})
}

// DriverInTime runs cases of the suite for drivers as StoreInTime does. They get no means to do
// what a person does.
func DriverInTime(t *testing.T, newWorld func(t testing.TB, clock *drivertest.Clock) World, cases []string, options ...conformance.DriverOption) {
	t.Helper()
	var all []string
	for _, c := range conformance.DriverCases() {
		all = append(all, c.Name)
	}
	inTime(t, all, cases, func(t *testing.T, name string) iter.Seq[conformance.Result] {
		var w World
		own := []conformance.DriverOption{
			conformance.DriverHandle(func(context.Context, driver.Secrets) (driver.Secrets, error) { return w.Secrets() }),
			conformance.DriverOnly(name), conformance.DriverPatience(time.Hour),
		}
		return conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) {
			w = newWorld(t, drivertest.NewWallClock())
			return w.Secrets()
		}, append(own, options...)...)
	})
}

// inTime runs the cases that match one of the patterns, each in a bubble of its own.
func inTime(t *testing.T, cases, patterns []string, run func(t *testing.T, name string) iter.Seq[conformance.Result]) {
	t.Helper()
	ran := 0
	for _, name := range cases {
		if !slices.ContainsFunc(patterns, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for result := range run(t, name) {
					if result.Outcome != conformance.Passed {
						t.Error(result)
					}
				}
			})
		})
	}
	if ran == 0 {
		t.Errorf("no case is called any of %q", patterns)
	}
}

func storeOptions(w *World, tokens int) []conformance.Option {
	return []conformance.Option{
		conformance.WithReopen(func(context.Context, tokenstore.Store) (tokenstore.Store, error) { return w.Store() }),
		conformance.WithForeign(func(ctx context.Context, _ tokenstore.Store) (func(context.Context) error, error) {
			return w.Plant(ctx)
		}),
		conformance.WithPerson(
			func(ctx context.Context, _ tokenstore.Store, id string) ([]byte, error) {
				w.Clock.Advance(time.Minute) // A person's change need not be visible immediately.
				secrets, err := w.Secrets()
				if err != nil {
					return nil, err
				}
				secret, err := secrets.Get(ctx, "tokenstore/tokens/"+id)
				return secret.Data, err
			},
			func(ctx context.Context, _ tokenstore.Store, id string, data []byte) error {
				defer w.Clock.Advance(time.Minute)
				return w.Edit(ctx, "tokenstore/tokens/"+id, data)
			},
		),
		conformance.WithTick(func() { w.Clock.Advance(time.Second) }),
		conformance.WithTokens(Long(tokens, 1000)),
	}
}
