package conformance

import (
	"context"
	"fmt"
	"io"
	"iter"
	"testing"

	"example.com/tokenstore/driver"
)

// DriverCase is one case of the suite for drivers.
type DriverCase struct {
	// Name names the case: "put-stale", "list-paging".
	Name string
	// Rule is the promise of package driver that it is about, in words.
	Rule string

	run func(*driverTrial)
}

// DriverCases returns the cases of [Driver] and [RunDriver], in the order in
// which they run.
func DriverCases() []DriverCase {
	var cases []DriverCase
	for _, group := range [][]DriverCase{
		driverPutCases(), driverDeleteCases(), driverRevisionCases(), driverListCases(), driverNameCases(),
		driverDataCases(), driverContextCases(), driverPersonCases(), driverHandleCases(), driverBatchCases(),
		driverRetireCases(), driverConcurrentCases(),
	} {
		cases = append(cases, group...)
	}
	return cases
}

// Driver runs every promise of package driver as a subtest of t. newSecrets
// returns a driver, for each case anew; it registers with t.Cleanup what has to
// be closed. All may lead to one service: every case uses names of its own,
// below a segment that begins with "conformance", and leaves what it has stored.
//
//	func TestConformance(t *testing.T) {
//		conformance.Driver(t, func(t testing.TB) driver.Secrets { return open(t) },
//			conformance.DriverHandle(again), conformance.DriverPerson(edit, remove))
//	}
//
// Every failure names its case and the promise that the driver breaks. An
// ability that is optional and that the driver has not (driver.BatchGetter,
// driver.Retirer) is reported as missing; any other case that the driver cannot
// pass is to be declared with [DriverMissing].
func Driver(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, options ...DriverOption) {
	t.Helper()
	s := newDriverSettings(options)
	var absent []Result
	for _, c := range DriverCases() {
		if !s.selected(c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			result := s.try(t.Context(), c, func(context.Context) (driver.Secrets, error) { return newSecrets(t), nil }, false)
			switch result.Outcome {
			case Failed:
				for _, f := range result.Findings {
					t.Error(f)
				}
			case Missing:
				absent = append(absent, result)
				t.Skip(result)
			}
		})
	}
	for _, f := range s.unmatched() {
		t.Error(f)
	}
	for _, r := range absent {
		t.Log(r)
	}
}

// RunDriver runs the cases of [Driver] without package testing and yields how
// each ended, while it goes on; to stop, break out of the loop. newSecrets
// returns a driver, for each case anew; RunDriver closes it after the case if it
// is an io.Closer. If ctx ends, RunDriver stops, and the case that was running
// is not reported.
func RunDriver(ctx context.Context, newSecrets func(context.Context) (driver.Secrets, error), options ...DriverOption) iter.Seq[Result] {
	s := newDriverSettings(options)
	return func(yield func(Result) bool) {
		for _, c := range DriverCases() {
			if !s.selected(c.Name) {
				continue
			}
			result := s.try(ctx, c, newSecrets, true)
			if ctx.Err() != nil || !yield(result) {
				return
			}
		}
		if findings := s.unmatched(); len(findings) > 0 {
			yield(Result{Case: "options", Rule: ruleDriverDeclared, Outcome: Failed, Findings: findings})
		}
	}
}

// try runs one case on a driver of its own.
func (s *driverSettings) try(ctx context.Context, c DriverCase, newSecrets func(context.Context) (driver.Secrets, error), closes bool) Result {
	t := newDriverTrial(ctx, s, c)
	inGoroutine(func() {
		defer t.closeAll()
		secrets, err := newSecrets(ctx)
		if err != nil {
			t.breaks("newSecrets returns a driver", "newSecrets: %s", safe(err))
			return
		}
		if closer, ok := secrets.(io.Closer); ok && closes {
			t.closers = append(t.closers, closer)
		}
		t.use(secrets)
		c.run(t)
		t.readOutput()
	}, t.panicked)
	return s.judge(t)
}

// judge says how a case ended.
func (s *driverSettings) judge(t *driverTrial) Result {
	result := Result{Case: t.name, Rule: t.rule, Findings: t.findings}
	reason, declared := s.missingReason(t.name)
	switch {
	case t.lacking != "" && len(t.findings) == 0:
		result.Outcome, result.Reason = Missing, t.lacking
	case !declared && len(t.findings) == 0:
		result.Outcome = Passed
	case !declared:
		result.Outcome = Failed
	case len(t.findings) == 0:
		result.Outcome = Failed
		result.Findings = []Finding{{Case: t.name, Rule: ruleDriverDeclared, Detail: fmt.Sprintf("declared missing (%s), but it works", reason)}}
	case t.anyHard():
		result.Outcome = Failed
	default:
		result.Outcome, result.Reason = Missing, reason
	}
	return result
}

// unmatched returns a finding for each declaration that matches no case.
func (s *driverSettings) unmatched() []Finding {
	var findings []Finding
	for _, m := range s.missing {
		found := false
		for _, c := range DriverCases() {
			found = found || matches(m.pattern, c.Name)
		}
		if !found {
			findings = append(findings, Finding{Case: "options", Rule: ruleDriverDeclared, Detail: fmt.Sprintf("DriverMissing names %q, which is no case", m.pattern)})
		}
	}
	return findings
}
