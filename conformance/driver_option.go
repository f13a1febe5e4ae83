// The options of the suite for drivers.

package conformance

import (
	"context"
	"time"

	"example.com/tokenstore/driver"
)

// DriverOption configures the suite for the driver under test.
type DriverOption func(*driverSettings)

type driverSettings struct {
	handle  func(context.Context, driver.Secrets) (driver.Secrets, error)
	edit    func(ctx context.Context, secrets driver.Secrets, name string, data []byte) error
	remove  func(ctx context.Context, secrets driver.Secrets, name string) error
	restore func(ctx context.Context, secrets driver.Secrets, name string) error
	nowhere func(context.Context, driver.Secrets) (driver.Secrets, error)
	refuse  func(context.Context, driver.Secrets) (driver.Secrets, error)
	output  func() string
	settle  func(context.Context) error
	secrets int // of the cases about paging
	workers int
	rounds  int

	patience time.Duration
	choice
}

func newDriverSettings(options []DriverOption) *driverSettings {
	s := &driverSettings{secrets: 250, workers: 8, rounds: 20, patience: time.Minute, choice: choice{option: "DriverMissing"}}
	for _, c := range DriverCases() {
		s.names = append(s.names, c.Name)
	}
	for _, option := range options {
		option(s)
	}
	return s
}

// DriverHandle sets the function that returns another driver on the same secrets,
// as another process would have it: they share nothing but the service. The suite closes
// the driver if it is an io.Closer. Without it the cases whose names begin with "handles"
// fail unless they are declared missing.
func DriverHandle(handle func(context.Context, driver.Secrets) (driver.Secrets, error)) DriverOption {
	return func(s *driverSettings) { s.handle = handle }
}

// DriverPerson sets the functions that write and remove a secret behind the driver's
// back, as a person does in the service's console. The name is the logical one. Without
// it, or if a function that they need is nil, the cases whose names begin with "person"
// fail unless they are declared missing.
func DriverPerson(
	edit func(ctx context.Context, secrets driver.Secrets, name string, data []byte) error,
	remove func(ctx context.Context, secrets driver.Secrets, name string) error,
) DriverOption {
	return func(s *driverSettings) { s.edit, s.remove = edit, remove }
}

// DriverRestore sets the function that puts back the data that a secret held before
// its last write, by the service's own means: a rollback, a restored version, a label
// moved back. Without it the cases whose names begin with "restored" fail unless they are
// declared missing. Declare only "restored-seen" if an adapter has no way to notice.
func DriverRestore(restore func(ctx context.Context, secrets driver.Secrets, name string) error) DriverOption {
	return func(s *driverSettings) { s.restore = restore }
}

// DriverNoContainer sets the function that returns a driver like the given one on a
// container that does not exist: another mount, namespace, project, region or folder.
// Without it the cases whose names begin with "container" fail unless they are declared
// missing.
func DriverNoContainer(open func(context.Context, driver.Secrets) (driver.Secrets, error)) DriverOption {
	return func(s *driverSettings) { s.nowhere = open }
}

// DriverRefusedBatch sets the function that returns another driver on the same secrets.
// Its service answers every call that reads many secrets as it does for a secret that
// does not exist, and serves all other calls. Without it the case "batch-refused" fails
// for a driver.BatchGetter, unless it is declared missing.
func DriverRefusedBatch(open func(context.Context, driver.Secrets) (driver.Secrets, error)) DriverOption {
	return func(s *driverSettings) { s.refuse = open }
}

// DriverPatience sets how long to wait for a call that must return without a deadline;
// the default is a minute.
func DriverPatience(d time.Duration) DriverOption {
	return func(s *driverSettings) { s.patience = d }
}

// DriverOutput sets the function that returns everything that the driver has logged or
// traced so far. It is called after each case, and its result must hold no data.
func DriverOutput(output func() string) DriverOption {
	return func(s *driverSettings) { s.output = output }
}

// DriverSettle says that reads may be stale for a while. The function is called before a
// read is repeated, up to 100 times: it waits briefly, or advances a fake clock. Without
// it a read must return the last write immediately.
func DriverSettle(settle func(context.Context) error) DriverOption {
	return func(s *driverSettings) { s.settle = settle }
}

// DriverNames sets how many secrets the cases of paging store; the default is 250. Use
// more than two pages of the service, unless each secret costs money.
func DriverNames(n int) DriverOption { return func(s *driverSettings) { s.secrets = n } }

// DriverLoad sets how many goroutines (default 8) and rounds (default 20) the cases of
// concurrency run.
func DriverLoad(workers, rounds int) DriverOption {
	return func(s *driverSettings) { s.workers, s.rounds = workers, rounds }
}

// DriverOnly limits the run to the cases whose names match one of the patterns of
// path.Match: "list-*", "put-stale".
func DriverOnly(patterns ...string) DriverOption {
	return func(s *driverSettings) { s.only = append(s.only, patterns...) }
}

// DriverMissing declares that the driver cannot pass the cases whose names match one of
// the patterns of path.Match, and why. The cases still run and are reported as [Missing];
// it is a failure if one of them passes, or if a pattern matches no case. Data in an
// error is never excused.
func DriverMissing(reason string, patterns ...string) DriverOption {
	return func(s *driverSettings) { s.declare(reason, patterns) }
}
