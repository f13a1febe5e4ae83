// The common part of the suites for stores and for drivers: selecting cases, running them, and
// collecting findings.

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

const ruleBounded = "no call waits without a limit of its own, even if its context has no deadline"

const ruleDeclared = "a case that is declared missing exists, and fails"

// choice selects the cases to run, and declares cases missing.
type choice struct {
	names   []string // of all cases
	option  string   // the name of the option that declares
	only    []string
	missing []missing
}

type missing struct{ pattern, reason string }

// declare declares the cases whose names match the patterns missing.
func (c *choice) declare(reason string, patterns []string) {
	for _, p := range patterns {
		c.missing = append(c.missing, missing{p, reason})
	}
}

// selected reports whether to run a case.
func (c *choice) selected(name string) bool {
	return len(c.only) == 0 || slices.ContainsFunc(c.only, func(p string) bool { return matches(p, name) })
}

// missingReason returns the reason for which a case is declared missing; ok is false if it
// is not.
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
			findings = append(findings, Finding{Case: "options", Rule: ruleDeclared, Detail: fmt.Sprintf("%s: the pattern %q matches no case", c.option, m.pattern)})
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

// results yields the result of each selected case, until ctx ends.
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

// judge returns the result of a case. excused reports whether a declaration excuses a
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
		result.Findings = []Finding{{Case: r.name, Rule: ruleDeclared, Detail: fmt.Sprintf("declared missing (%s), but it passes; remove the declaration", reason)}}
	case slices.ContainsFunc(r.findings, func(f Finding) bool { return f.hard || !excused(f) }):
		result.Outcome = Failed
	default:
		result.Outcome, result.Reason = Missing, reason
	}
	return result
}

// record is one run of one case, with its findings.
type record struct {
	name, rule string
	closers    []io.Closer
	lacking    string // why a case of an optional ability cannot run

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
	const enough = 8 // A fault under concurrency is found many times over.
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

// lacks ends a case of an optional ability, and records why that is missing. It is called by
// the case's own goroutine.
func (r *record) lacks(why string) {
	r.lacking = why
	giveUp()
}

// run runs a case to its end, and closes what the case has opened.
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
			r.breaks("stores and drivers can be closed", "close: %s", safe(err))
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

// readOutput searches the logs for credentials.
func (r *record) readOutput(output func() string, rule string) {
	if output != nil && strings.Contains(output(), mark) {
		r.add(Finding{Rule: rule, Detail: "the log holds a credential", hard: true})
	}
}

// bounded makes a call that must return although its context has no deadline. If it does
// not return in time, the case ends.
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
		r.breaks(ruleBounded, "%s has not returned after %v", doing, patience)
		giveUp()
		return nil // not reached
	}
}

// inGoroutine runs f until it returns, panics, or gives up with runtime.Goexit.
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

// giveUp ends the running case.
func giveUp() { runtime.Goexit() }
