package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// console is the memory driver's means for a person, found below any wrappers.
type console interface {
	Edit(name string, data []byte) string
	Remove(name string) bool
	Restore(name string) bool
}

var errNoConsole = errors.New("no console")

// refusedBatch refuses every batch as a whole.
func refusedBatch(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
	return drivertest.Inject(s, drivertest.FailMethod(drivertest.GetBatch, drivertest.Denied)), nil
}

// nowhere is a driver on a container that does not exist.
func nowhere(context.Context, driver.Secrets) (driver.Secrets, error) {
	return drivertest.Inject(memory.New().Batched(), func(drivertest.Call) drivertest.Outcome {
		return drivertest.Outcome{Err: driver.ErrNoContainer}
	}), nil
}

// memoryOptions are the options of the memory driver.
func memoryOptions() []conformance.DriverOption {
	return []conformance.DriverOption{
		conformance.DriverHandle(func(_ context.Context, s driver.Secrets) (driver.Secrets, error) { return s, nil }),
		conformance.DriverPerson(
			func(_ context.Context, s driver.Secrets, name string, data []byte) error {
				c, ok := driver.As[console](s)
				if !ok {
					return errNoConsole
				}
				c.Edit(name, data)
				return nil
			},
			func(_ context.Context, s driver.Secrets, name string) error {
				c, ok := driver.As[console](s)
				if !ok {
					return errNoConsole
				}
				c.Remove(name)
				return nil
			},
		),
		conformance.DriverRestore(func(_ context.Context, s driver.Secrets, name string) error {
			if c, ok := driver.As[console](s); !ok || !c.Restore(name) {
				return errNoConsole
			}
			return nil
		}),
		conformance.DriverRefusedBatch(refusedBatch),
		conformance.DriverNoContainer(nowhere),
	}
}

func TestDriverMemory(t *testing.T) {
	conformance.Driver(t, func(testing.TB) driver.Secrets { return memory.New() }, memoryOptions()...)
}

func TestDriverMemoryBatched(t *testing.T) {
	limits := memory.WithLimits(driver.Limits{MaxSize: 61_000})
	conformance.Driver(t, func(testing.TB) driver.Secrets { return memory.New(limits).Batched() }, memoryOptions()...)
}

// TestDriverWrapped shows that wrappers keep every promise.
func TestDriverWrapped(t *testing.T) {
	conformance.Driver(t, func(testing.TB) driver.Secrets {
		s, _ := drivertest.Count(memory.New().Batched())
		return drivertest.Inject(s, func(drivertest.Call) drivertest.Outcome { return drivertest.Outcome{} })
	}, memoryOptions()...)
}

// TestDriverStale shows that the suite accepts stale reads where they are allowed.
func TestDriverStale(t *testing.T) {
	options := append(memoryOptions(), conformance.DriverSettle(func(ctx context.Context) error { return ctx.Err() }))
	t.Run("by number", func(t *testing.T) {
		conformance.Driver(t, func(testing.TB) driver.Secrets {
			return drivertest.Stale(memory.New().Batched(), drivertest.Staleness{Reads: 3})
		}, options...)
	})
	t.Run("by chance", func(t *testing.T) {
		conformance.Driver(t, func(testing.TB) driver.Secrets {
			random := rand.New(rand.NewPCG(1, 2))
			return drivertest.Stale(memory.New().Batched(), drivertest.Staleness{Reads: 4, Choose: func(_ string, states int) int {
				return random.IntN(states)
			}})
		}, options...)
	})
}

func TestRunDriver(t *testing.T) {
	outcomes := map[conformance.Outcome]int{}
	var missing []string
	for result := range conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) {
		return memory.New(), nil
	}, conformance.DriverMissing("not given here", "person-*", "handles-*", "restored*", "container-*")) {
		outcomes[result.Outcome]++
		if result.Outcome == conformance.Failed {
			t.Error(result)
		}
		if result.Outcome == conformance.Missing {
			missing = append(missing, result.Case)
		}
	}
	if want := 5 + 3 + 2 + 2 + 5 + 6 + 3 + 3; outcomes[conformance.Missing] != want {
		t.Errorf("%d cases are missing, want %d: %q", len(missing), want, missing)
	}
}

func TestDriverDeclarationsAreChecked(t *testing.T) {
	failed := map[string]bool{}
	for result := range conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) {
		return memory.New(), nil
	}, conformance.DriverOnly("put-new", "person-edit", "retire"), conformance.DriverMissing("wrongly", "put-new", "no-such-case")) {
		failed[result.Case] = result.Outcome == conformance.Failed
	}
	want := map[string]bool{"put-new": true, "person-edit": true, "retire": false, "options": true}
	if fmt.Sprint(failed) != fmt.Sprint(want) {
		t.Errorf("failed: %v, want %v", failed, want)
	}
}

func TestDriverCasesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformance.DriverCases() {
		if c.Name == "" || c.Rule == "" || seen[c.Name] {
			t.Errorf("case %q has no rule, or its name comes twice", c.Name)
		}
		seen[c.Name] = true
	}
}
