package conformance

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the suites of cases, for stores and for drivers, have in common: which
// cases are run, and what a run of one finds.

const ruleBounded = "no call waits without a limit of its own, even if its context has no deadline"

const ruleDeclared = "what is declared missing is a case, and does not work"

// choice says which cases are run, and which are declared missing.
type choice struct {
	names   []string // of all cases
	option  string   // the name of the option that declares
	only    []string
	missing []missing
}

type missing struct{ pattern, reason string }

// declare says that the cases whose names match the patterns are missing.
func (c *choice) declare(reason string, patterns []string) {
	for _, p := range patterns {
		c.missing = append(c.missing, missing{p, reason})
	}
}

// selected reports whether a case is to be run.
func (c *choice) selected(name string) bool {
	return len(c.only) == 0 || slices.ContainsFunc(c.only, func(p string) bool { return matches(p, name) })
}

// missingReason returns why a case is declared missing; ok is false if it is not.
func (c *choice) missingReason(name string) (reason string, ok bool) {
	for _, m := range c.missing {
		if matches(m.pattern, name) {
			return m.reason, true
		}
	}
	return "", false
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// unmatched returns a finding for each declaration that matches no case.
func (c *choice) unmatched() []Finding {
	var findings []Finding
	for _, m := range c.missing {
		if !slices.ContainsFunc(c.names, func(name string) bool { return matches(m.pattern, name) }) {
			findings = append(findings, Finding{Case: "options", Rule: ruleDeclared, Detail: fmt.Sprintf("%s names %q, which is no case", c.option, m.pattern)})
		}
	}
	return findings
}

// subtests runs the selected cases as subtests of t; try runs the i-th case.
func (c *choice) subtests(t *testing.T, try func(t *testing.T, i int) Result) {
	t.Helper()
	var absent []Result
	for i, name := range c.names {
		if !c.selected(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			result := try(t, i)
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
	for _, f := range c.unmatched() {
		t.Error(f)
	}
	for _, r := range absent {
		t.Log(r)
	}
}

// results yields how each selected case ended, until ctx ends.
func (c *choice) results(ctx context.Context, try func(i int) Result) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		for i, name := range c.names {
			if !c.selected(name) {
				continue
			}
			result := try(i)
			if ctx.Err() != nil || !yield(result) {
				return
			}
		}
		if findings := c.unmatched(); len(findings) > 0 {
			yield(Result{Case: "options", Rule: ruleDeclared, Outcome: Failed, Findings: findings})
		}
	}
}

// judge says how a case ended. excused reports whether a declaration excuses a
// finding.
func (c *choice) judge(r *record, excused func(Finding) bool) Result {
	result := Result{Case: r.name, Rule: r.rule, Findings: r.findings}
	reason, declared := c.missingReason(r.name)
	switch {
	case r.lacking != "" && len(r.findings) == 0:
		result.Outcome, result.Reason = Missing, r.lacking
	case !declared && len(r.findings) == 0:
		result.Outcome = Passed
	case !declared:
		result.Outcome = Failed
	case len(r.findings) == 0:
		result.Outcome = Failed
		result.Findings = []Finding{{Case: r.name, Rule: ruleDeclared, Detail: fmt.Sprintf("declared missing (%s), but it works", reason)}}
	case slices.ContainsFunc(r.findings, func(f Finding) bool { return f.hard || !excused(f) }):
		result.Outcome = Failed
	default:
		result.Outcome, result.Reason = Missing, reason
	}
	return result
}

// record is one run of one case, and what it has found.
type record struct {
	name, rule string
	closers    []io.Closer
	lacking    string // why the case, which is about something optional, cannot run

	mu       sync.Mutex
	findings []Finding
}

// fails records that the case's own rule is broken.
func (r *record) fails(format string, args ...any) { r.breaks(r.rule, format, args...) }

// breaks records that a rule is broken.
func (r *record) breaks(rule, format string, args ...any) {
	r.add(Finding{Rule: rule, Detail: fmt.Sprintf(format, args...)})
}

func (r *record) add(f Finding) {
	f.Case = r.name
	r.mu.Lock()
	defer r.mu.Unlock()
	const enough = 8 // What is broken under concurrency is found again and again.
	if len(r.findings) < enough || f.hard {
		r.findings = append(r.findings, f)
	}
}

// must ends the case if err is not nil.
func (r *record) must(doing string, err error) {
	if err != nil {
		r.fails("%s: %s", doing, safe(err))
		giveUp()
	}
}

// lacks ends the case, which is about something optional, and records why that is
// not there.
func (r *record) lacks(why string) {
	r.lacking = why
	giveUp()
}

// run runs a case to its end, and closes what it has opened.
func (r *record) run(f func()) {
	inGoroutine(func() {
		defer r.closeAll()
		f()
	}, r.panicked)
}

// closes has what may be an io.Closer closed after the case.
func (r *record) closes(opened any) {
	if closer, ok := opened.(io.Closer); ok {
		r.closers = append(r.closers, closer)
	}
}

func (r *record) closeAll() {
	for _, c := range slices.Backward(r.closers) {
		if err := c.Close(); err != nil {
			r.breaks("what was opened can be closed", "close: %s", safe(err))
		}
	}
}

func (r *record) panicked(p any) {
	text := fmt.Sprint(p)
	if strings.Contains(text, mark) {
		text = "(its text holds a credential)"
	}
	r.add(Finding{Rule: "no call panics", Detail: "panic: " + text, hard: true})
}

// readOutput looks for credentials in what was logged.
func (r *record) readOutput(output func() string, rule string) {
	if output != nil && strings.Contains(output(), mark) {
		r.add(Finding{Rule: rule, Detail: "what was logged holds a credential", hard: true})
	}
}

// bounded makes a call that must return by itself, although its context has no
// deadline. If it does not, the case ends.
func (r *record) bounded(ctx context.Context, patience time.Duration, doing string, call func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go inGoroutine(func() { done <- call(ctx) }, func(p any) {
		r.panicked(p)
		done <- errPanic
	})
	end := time.NewTimer(patience)
	defer end.Stop()
	select {
	case err := <-done:
		return err
	case <-end.C:
		r.breaks(ruleBounded, "%s has not ended after %v", doing, patience)
		giveUp()
		return nil // not reached
	}
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
