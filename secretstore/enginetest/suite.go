// Every suite needs the same from an adapter: a new service, another process on it, a person
// at the console. An author who has to pass them to each suite separately soon forgets a
// suite; a Suite takes them once.

package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// Suite is an adapter under test. Run runs all suites; the other methods run one.
//
//	func TestAdapter(t *testing.T) {
//		enginetest.Suite{
//			New:     func(t testing.TB) driver.Secrets { return open(t, newFolder(t)) },
//			Engine:  engine,
//			Service: enginetest.Service{Handle: again, Edit: edit},
//			Remove:  remove,
//			DriverOptions: []conformance.DriverOption{conformance.DriverMissing("no versions", "restored*")},
//		}.Run(t)
//	}
type Suite struct {
	// Service is the service under the adapter: its prefix, how another process
	// and a person reach it, its clock, and how long its reads may be stale.
	Service

	// New returns the driver on a new, empty service, or on a part of one that nothing
	// else uses. It uses t.Cleanup to close things.
	New func(t testing.TB) driver.Secrets
	// Engine returns the store as the adapter's users get it, over its driver, with the
	// form of index that suits the service. It must pass the suite's options on.
	Engine NewEngine

	// Remove deletes a secret as a person does in the service's console.
	Remove func(ctx context.Context, secrets driver.Secrets, name string) error
	// Restore puts back the data that a secret held before its last write, by the
	// service's own means: see conformance.DriverRestore.
	Restore func(ctx context.Context, secrets driver.Secrets, name string) error
	// NoContainer returns a driver like the given one on a container that does not
	// exist: see conformance.DriverNoContainer.
	NoContainer func(context.Context, driver.Secrets) (driver.Secrets, error)
	// RefusedBatch returns a driver on the same secrets whose batches are refused:
	// see conformance.DriverRefusedBatch. Only a driver.BatchGetter needs it.
	RefusedBatch func(context.Context, driver.Secrets) (driver.Secrets, error)
	// Plant stores secrets of others next to the store's own, and returns a function that
	// checks them: see conformance.WithForeign. If it is nil, Edit or the driver writes
	// them, below the store's prefix and next to it.
	Plant func(context.Context, driver.Secrets) (check func(context.Context) error, err error)

	// The options of the single suites: the adapter's limits, and how much to run. The
	// Service of CrashOptions and ModelOptions is ignored; the suite's own is used.
	DriverOptions       []conformance.DriverOption
	StoreOptions        []conformance.Option
	ScheduleOptions     ScheduleOptions
	CrashOptions        CrashOptions
	ModelOptions        ModelOptions
	LinearizableOptions conformance.LinearizableOptions
}

// Run runs every suite as a subtest of t with the suite's name. With -short it skips
// Schedules and Crash, which make one call at a time. If Settle is set it skips
// Linearizable, which needs reads that are never stale.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	t.Run("Driver", s.Driver)
	t.Run("Store", s.Store)
	t.Run("Schedules", func(t *testing.T) { atLength(t); s.Schedules(t) })
	t.Run("Crash", func(t *testing.T) { atLength(t); s.Crash(t) })
	t.Run("Model", s.Model)
	t.Run("Linearizable", func(t *testing.T) {
		if s.Settle > 0 {
			t.Skip("reads may be stale, so a client need not see another one's writes immediately")
		}
		s.Linearizable(t)
	})
}

func atLength(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped with -short: makes one call at a time")
	}
}

// Driver runs conformance.Driver.
func (s Suite) Driver(t *testing.T) {
	t.Helper()
	options := []conformance.DriverOption{
		conformance.DriverHandle(func(_ context.Context, secrets driver.Secrets) (driver.Secrets, error) { return s.again(secrets) }),
		conformance.DriverPerson(s.Edit, s.Remove),
		conformance.DriverRestore(s.Restore),
		conformance.DriverNoContainer(s.NoContainer),
		conformance.DriverRefusedBatch(s.RefusedBatch),
	}
	if s.Settle > 0 {
		options = append(options, conformance.DriverSettle(func(ctx context.Context) error { return s.wait(ctx, max(s.Settle/10, time.Millisecond)) }))
	}
	conformance.Driver(t, s.New, append(options, s.DriverOptions...)...)
}

// Store runs conformance.Store on the engine over the driver.
func (s Suite) Store(t *testing.T) {
	t.Helper()
	options := []conformance.Option{
		conformance.WithReopen(func(_ context.Context, st tokenstore.Store) (tokenstore.Store, error) {
			secrets, err := s.again(under(st))
			if err != nil {
				return nil, err
			}
			return s.open(secrets)
		}),
		conformance.WithForeign(func(ctx context.Context, st tokenstore.Store) (func(context.Context) error, error) {
			if s.Plant != nil {
				return s.Plant(ctx, under(st))
			}
			return s.plant(ctx, under(st))
		}),
		conformance.WithUnseen(s.unseen),
		conformance.WithTick(func() { _ = s.wait(t.Context(), s.tick()) }),
	}
	if s.Edit != nil {
		options = append(options, conformance.WithPerson(
			func(ctx context.Context, st tokenstore.Store, id string) ([]byte, error) {
				secret, err := s.read(ctx, under(st), s.prefix()+"tokens/"+secretID(id))
				return secret.Data, err
			},
			func(ctx context.Context, st tokenstore.Store, id string, data []byte) error {
				return s.Edit(ctx, under(st), s.prefix()+"tokens/"+secretID(id), data)
			},
		))
	}
	conformance.Store(t, func(t testing.TB) tokenstore.Store {
		store, err := s.open(s.New(t))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, append(options, s.StoreOptions...)...)
}

// Schedules runs [Schedules] on the engine. Without options, it explores one switch
// between two operations, and 200 interleavings of three.
func (s Suite) Schedules(t *testing.T) {
	t.Helper()
	options := s.ScheduleOptions
	if reflect.ValueOf(options).IsZero() {
		options = ScheduleOptions{Switches: 1, Threes: 200, Seed: 1}
	}
	Schedules(t, s.Engine, options)
}

// Crash runs [Crash] on the engine over the driver.
func (s Suite) Crash(t *testing.T) {
	t.Helper()
	options := s.CrashOptions
	options.Service = s.Service
	Crash(t, s.New, s.Engine, options)
}

// Model runs [Model] on the engine over the driver.
func (s Suite) Model(t *testing.T) {
	t.Helper()
	options := s.ModelOptions
	options.Service = s.Service
	Model(t, s.New, s.Engine, options)
}

// Linearizable runs conformance.Linearizable on the engine over the driver.
func (s Suite) Linearizable(t *testing.T) {
	t.Helper()
	secrets := s.New(t)
	conformance.Linearizable(t, func(t testing.TB) tokenstore.Store {
		own, err := s.again(secrets)
		if err != nil {
			t.Fatal(err)
		}
		// A search of all tokens would hide what the index has lost.
		store, err := s.open(own, secretstore.WithScanLimit(0))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, s.LinearizableOptions)
}

// onDriver is a store that remembers its driver.
type onDriver struct {
	*secretstore.Store
	secrets driver.Secrets
}

// under returns the driver of a store that open returned.
func under(store tokenstore.Store) driver.Secrets {
	if s, ok := store.(onDriver); ok {
		return s.secrets
	}
	return nil // not reached: the suites pass stores back unchanged
}

// open returns the store of a user, on the service's clock if it has one.
func (s Suite) open(secrets driver.Secrets, more ...secretstore.Option) (tokenstore.Store, error) {
	options := []secretstore.Option{secretstore.WithPrefix(s.prefix())}
	if s.Now != nil {
		options = append(options, secretstore.WithClock(s.Now))
	}
	switch {
	case s.Sleep != nil:
		options = append(options, secretstore.WithSleep(s.Sleep))
	case s.Settle == 0:
		options = append(options, secretstore.WithSleep(short))
	}
	store, err := s.Engine(secrets, append(options, more...)...)
	if err != nil {
		return nil, err
	}
	return onDriver{store, secrets}, nil
}

// short is the pause on a service that is never stale: just long enough for others to go
// first.
func short(ctx context.Context, d time.Duration) error {
	time.Sleep(d / 50)
	return ctx.Err()
}

// again returns the same secrets as another process would have them.
func (s Suite) again(secrets driver.Secrets) (driver.Secrets, error) {
	if s.Handle == nil {
		return secrets, nil
	}
	return s.Handle(secrets)
}

// read reads a secret as a new process does.
func (s Suite) read(ctx context.Context, secrets driver.Secrets, name string) (driver.Secret, error) {
	own, err := s.again(secrets)
	if err != nil {
		return driver.Secret{}, err
	}
	return own.Get(ctx, name)
}

func (s Suite) prefix() string {
	if s.Prefix == "" {
		return defaultPrefix
	}
	return s.Prefix
}

// wait lets time pass at the service.
func (s Suite) wait(ctx context.Context, d time.Duration) error {
	if s.Sleep != nil {
		return s.Sleep(ctx, d)
	}
	time.Sleep(d)
	return ctx.Err()
}

// tick is the pause between two saves that must have different times: the service's clock
// may count only seconds.
func (s Suite) tick() time.Duration {
	if s.Sleep != nil && s.Now != nil {
		return time.Second
	}
	return time.Microsecond
}

// unseen returns a store over a service that never returns written data. Its pauses only
// advance a clock; after an hour of them, the next one never ends.
func (s Suite) unseen(context.Context) (tokenstore.Store, error) {
	clock := drivertest.NewClock()
	end := clock.Now().Add(time.Hour)
	never := drivertest.Stale(memory.New(), drivertest.Staleness{Reads: math.MaxInt})
	return s.Engine(never, secretstore.WithClock(clock.Now), secretstore.WithSleep(func(ctx context.Context, d time.Duration) error {
		if clock.Now().After(end) {
			<-ctx.Done()
		}
		return clock.Sleep(ctx, d)
	}))
}

// plant writes secrets of others, and returns a function that checks them.
func (s Suite) plant(ctx context.Context, secrets driver.Secrets) (func(context.Context) error, error) {
	planted := map[string]string{
		s.prefix() + "tokens/other":         `{"refresh_token":"fake-of-others","client_id":"fake"}`,
		s.prefix() + "tokens/a/b":           `{"id":"b","generation":"5","refresh_token":"fake-of-others"}`,
		s.prefix() + "tokens/not-ours-1":    `{"password":"fake"}`,
		s.prefix() + "notes":                `{"id":"notes","refresh_token":"fake-of-others"}`,
		"beside/" + s.prefix() + "tokens/x": `{"id":"x","refresh_token":"fake-of-others","generation":"1"}`,
		"elsewhere":                         `{"password":"fake"}`,
	}
	found := map[string][]byte{}
	for name, data := range planted {
		if err := s.write(ctx, secrets, name, []byte(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		secret, err := s.read(ctx, secrets, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[name] = secret.Data
	}
	return func(ctx context.Context) error {
		for name, data := range found {
			secret, err := s.read(ctx, secrets, name)
			if err != nil {
				return fmt.Errorf("%s: %w", strings.TrimPrefix(name, s.prefix()), err)
			}
			if !bytes.Equal(secret.Data, data) {
				return errors.New(name + " was changed")
			}
		}
		return nil
	}, nil
}

// write writes a secret as a person does or, without Edit, through the driver.
func (s Suite) write(ctx context.Context, secrets driver.Secrets, name string, data []byte) error {
	if s.Edit != nil {
		return s.Edit(ctx, secrets, name, data)
	}
	_, err := secrets.Put(ctx, driver.Secret{Name: name, Data: data})
	return err
}
