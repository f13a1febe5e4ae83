package conformance

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"

	"example.com/tokenstore"
)

// Case is one case of the suite.
type Case struct {
	// Name names the case: "F05", "concurrent-new-user".
	Name string
	// Rule is the rule that it is about, in words.
	Rule string

	run func(*trial)
	// refusable cases are excused by a proper refusal only.
	refusable bool
}

// Cases returns the cases of [Store] and [Run], in the order in which they run.
func Cases() []Case {
	var cases []Case
	for _, group := range [][]Case{
		findCases(), saveCases(), deleteCases(), byIDCases(), listCases(), openCases(), handleCases(), foreignCases(),
		adoptionCases(), sequenceCases(), expiryCases(), isolationCases(), errorCases(), contextCases(),
		textCases(), idCases(), pairCases(), sizeCases(), concurrentCases(),
	} {
		cases = append(cases, group...)
	}
	return cases
}

// Store runs every case as a subtest of t. newStore returns a new, empty store,
// one for each case; it registers with t.Cleanup what has to be closed. A case
// that is missing, as was declared with [WithMissing], is skipped with its
// reason, and all of them are logged at the end.
func Store(t *testing.T, newStore func(t testing.TB) tokenstore.Store, options ...Option) {
	t.Helper()
	s := newSettings(options)
	var absent []Result
	for _, c := range Cases() {
		if !s.selected(c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			result := s.try(t.Context(), c, func(context.Context) (tokenstore.Store, error) { return newStore(t), nil }, false)
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

// Run runs every case without package testing and yields how each ended, while
// it goes on; to stop, break out of the loop. newStore returns a new, empty
// store, one for each case; Run closes it after its case if it is an io.Closer.
// No case is run on a store that is not empty. If ctx ends, Run stops, and the
// case that was running is not reported.
//
//	for result := range conformance.Run(ctx, newStore) {
//		fmt.Println(result)
//	}
func Run(ctx context.Context, newStore func(context.Context) (tokenstore.Store, error), options ...Option) iter.Seq[Result] {
	s := newSettings(options)
	return func(yield func(Result) bool) {
		for _, c := range Cases() {
			if !s.selected(c.Name) {
				continue
			}
			result := s.try(ctx, c, newStore, true)
			if ctx.Err() != nil || !yield(result) {
				return
			}
		}
		if findings := s.unmatched(); len(findings) > 0 {
			yield(Result{Case: "options", Rule: ruleDeclared, Outcome: Failed, Findings: findings})
		}
	}
}

const (
	ruleDeclared = "what is declared missing is a case, and does not work"
	ruleNewStore = "newStore returns a new, empty store"
)

// try runs one case on a store of its own.
func (s *settings) try(ctx context.Context, c Case, newStore func(context.Context) (tokenstore.Store, error), closes bool) Result {
	t := &trial{ctx: ctx, settings: s, name: c.Name, rule: c.Rule, generated: map[string]bool{}}
	inGoroutine(func() {
		defer t.closeAll()
		store, err := newStore(ctx)
		if err != nil {
			t.breaks(ruleNewStore, "newStore: %s", safe(err))
			return
		}
		if closer, ok := store.(io.Closer); ok && closes {
			t.closers = append(t.closers, closer)
		}
		t.store = &handle{store: store, trial: t}
		if !t.empty() {
			return
		}
		c.run(t)
		t.readOutput()
	}, t.panicked)
	return s.judge(c, t.findings)
}

// inGoroutine runs f to its end, to a panic, or to where it gives up with
// runtime.Goexit.
func inGoroutine(f func(), panicked func(any)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				panicked(p)
			}
		}()
		f()
	}()
	<-done
}

// giveUp ends the case that runs.
func giveUp() { runtime.Goexit() }

// judge says how a case with these findings ended.
func (s *settings) judge(c Case, findings []Finding) Result {
	result := Result{Case: c.Name, Rule: c.Rule, Findings: findings}
	reason, declared := s.missingReason(c.Name)
	switch {
	case !declared && len(findings) == 0:
		result.Outcome = Passed
	case !declared:
		result.Outcome = Failed
	case len(findings) == 0:
		result.Outcome = Failed
		result.Findings = []Finding{{Case: c.Name, Rule: ruleDeclared, Detail: fmt.Sprintf("declared missing (%s), but it works", reason)}}
	case !excused(c, findings):
		result.Outcome = Failed
	default:
		result.Outcome, result.Reason = Missing, reason
	}
	return result
}

// excused reports whether a declaration excuses all the findings.
func excused(c Case, findings []Finding) bool {
	for _, f := range findings {
		if f.hard || (c.refusable && !f.refusal) {
			return false
		}
	}
	return true
}

// unmatched returns a finding for each declaration that matches no case.
func (s *settings) unmatched() []Finding {
	var findings []Finding
	for _, m := range s.missing {
		found := false
		for _, c := range Cases() {
			found = found || matches(m.pattern, c.Name)
		}
		if !found {
			findings = append(findings, Finding{Case: "options", Rule: ruleDeclared, Detail: fmt.Sprintf("WithMissing names %q, which is no case", m.pattern)})
		}
	}
	return findings
}
