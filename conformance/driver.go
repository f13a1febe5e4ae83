// The entry points of the suite for drivers, for use with and without package testing.

package conformance

import (
	"context"
	"iter"
	"testing"

	"example.com/tokenstore/driver"
)

// DriverCase is one case of the suite for drivers.
type DriverCase struct {
	// Name names the case: "put-stale", "list-paging".
	Name string
	// Rule is the promise of package driver that it tests, in words.
	Rule string

	run func(*driverTrial)
}

// DriverCases returns the cases of [Driver] and [RunDriver], in the order in
// which they run.
func DriverCases() []DriverCase {
	var cases []DriverCase
	for _, group := range [][]DriverCase{
		driverPutCases(), driverDeleteCases(), driverRevisionCases(), driverListCases(), driverNameCases(),
		driverDataCases(), driverContextCases(), driverPersonCases(), driverRestoreCases(), driverHandleCases(),
		driverBatchCases(), driverAbsenceCases(), driverRetireCases(), driverRecoverCases(), driverPruneCases(), driverTellCases(), driverConcurrentCases(),
	} {
		cases = append(cases, group...)
	}
	return cases
}

// Driver tests every promise of package driver in a subtest of t. newSecrets is
// called for each case and returns a driver; it uses t.Cleanup to close things. All
// drivers may use the same service: every case has names of its own, below a segment
// that begins with "conformance", and does not remove them at the end.
//
//	func TestConformance(t *testing.T) {
//		conformance.Driver(t, func(t testing.TB) driver.Secrets { return open(t) },
//			conformance.DriverHandle(again), conformance.DriverPerson(edit, remove))
//	}
//
// Every failure names its case and the promise that the driver breaks. An optional
// interface that the driver does not implement (driver.BatchGetter, driver.Retirer, …) is
// reported as missing; declare any other case that the driver cannot pass with
// [DriverMissing].
func Driver(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, options ...DriverOption) {
	t.Helper()
	s, cases := newDriverSettings(options), DriverCases()
	s.subtests(t, func(t *testing.T, i int) Result {
		return s.try(t.Context(), cases[i], func(context.Context) (driver.Secrets, error) { return newSecrets(t), nil }, false)
	})
}

// RunDriver runs the cases of [Driver] without package testing and yields each
// result as the case ends; to stop, break out of the loop. newSecrets is called for each
// case and returns a driver, which RunDriver closes after the case if it is an
// io.Closer. If ctx ends, RunDriver stops without a result for the running case.
func RunDriver(ctx context.Context, newSecrets func(context.Context) (driver.Secrets, error), options ...DriverOption) iter.Seq[Result] {
	s, cases := newDriverSettings(options), DriverCases()
	return s.results(ctx, func(i int) Result { return s.try(ctx, cases[i], newSecrets, true) })
}

// try runs one case on a driver of its own.
func (s *driverSettings) try(ctx context.Context, c DriverCase, newSecrets func(context.Context) (driver.Secrets, error), closes bool) Result {
	t := newDriverTrial(ctx, s, c)
	t.run(func() {
		secrets, err := newSecrets(ctx)
		if err != nil {
			t.breaks("newSecrets returns a driver", "newSecrets: %s", safe(err))
			return
		}
		if closes {
			t.closes(secrets)
		}
		t.use(secrets)
		defer t.unchanged()
		defer t.told()
		c.run(t)
		t.readOutput(s.output, ruleNoData)
	})
	return s.judge(&t.record, func(Finding) bool { return true })
}
