// Crashes at every call. The engine has no transactions, so what it leaves behind at each
// point must be harmless.

package enginetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// CrashOptions are the options of [Crash].
type CrashOptions struct {
	Service
	// Fanout, if not zero, is a fan-out to which the repair changes the index; this is
	// then one more operation to interrupt.
	Fanout int
	// Rotating adds the repair that makes the index leave out refresh tokens to the operations
	// to interrupt.
	Rotating bool
	// Every, if above one, interrupts only every Every-th call of an operation.
	Every int
	// Only, if not empty, names the operations to interrupt.
	Only []string
}

// Crash interrupts every operation of the engine at every call to its service: the call
// fails before or after it takes effect, and the process goes on or dies. newSecrets
// returns a new, empty service each time.
//
// After that, another process must find every stored token by each of its keys, through
// the index alone. The operation must have happened completely or not at all, or, for an
// operation on many tokens, so for each of them. Repeated, by the same process if that is
// still alive, it must succeed. A repair after the grace period must find no key missing
// and leave nothing behind.
func Crash(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, engine NewEngine, options CrashOptions) {
	t.Helper()
	only := map[string]bool{}
	for _, name := range options.Only {
		only[name] = true
	}
	for _, op := range interruptions(options) {
		if len(options.Only) > 0 && !only[op.name] {
			continue
		}
		delete(only, op.name)
		t.Run(op.name, func(t *testing.T) {
			points, err := interrupt(t.Context(), func() *site { return newSite(t, newSecrets, engine, options.Service) }, op, max(options.Every, 1))
			if err != nil {
				t.Error(err)
			}
			t.Logf("interrupted %d times", points)
		})
	}
	for name := range only {
		t.Errorf("there is no operation %q", name)
	}
}

// fault is one way in which a call is interrupted.
type fault struct {
	name string
	gone bool // no later call reaches the service either
	how  drivertest.Outcome
}

// differs reports whether the fault needs a run of its own for a call. It makes no
// difference whether a read reached the service, or whether a process died before or
// after a read; and dying before a write is the same as dying after the previous one.
func (f fault) differs(m drivertest.Method) bool { return m.Writes() || !f.gone && !f.how.Done }

var crashFaults = []fault{
	{"fails before it takes effect", false, drivertest.Unreached},
	{"fails after it takes effect", false, drivertest.LoseReply},
	{"is the last before the process dies", true, drivertest.LoseReply},
}

// interrupt interrupts an operation at every n-th call, where n is every, with one fault
// in each run, and returns how often it did.
func interrupt(ctx context.Context, newSite func() *site, op interruption, every int) (points int, err error) {
	want, err := uninterrupted(ctx, newSite(), op)
	if err != nil {
		return 0, fmt.Errorf("without a fault: %w", err)
	}
	methods := map[int]drivertest.Method{} // of the calls that were interrupted
	for i, f := range crashFaults {
		for n := 1 + i%every; ; n += every {
			if m, ok := methods[n]; ok && !f.differs(m) {
				continue
			}
			c := &crashed{site: newSite(), op: op, want: want, fault: f, call: n}
			if err := c.run(ctx); err != nil {
				return points, fmt.Errorf("call %d (%s %s) %s: %w", n, c.hit.Method, c.hit.Name, f.name, err)
			}
			if c.hit.Number == 0 {
				break // The operation has made all its calls.
			}
			points++
			methods[n] = c.hit.Method
		}
	}
	return points, nil
}

// tokens are the stored tokens by ID, with their notes; what the store remembers of its reads
// is left out.
type tokens = map[string]tokenstore.Noted

// change is the effect of an operation: the tokens before and after it.
type change struct {
	before, after tokens
}

// uninterrupted returns the effect of the operation without a fault.
func uninterrupted(ctx context.Context, s *site, op interruption) (change, error) {
	var c change
	err := s.begin(ctx, op)
	if err != nil {
		return c, err
	}
	if c.before, err = s.stored(ctx); err != nil {
		return c, err
	}
	store, err := s.process(nil)
	if err != nil {
		return c, err
	}
	if err := op.do(ctx, store); err != nil {
		return c, err
	}
	if err := s.settle(ctx); err != nil {
		return c, err
	}
	if c.after, err = s.stored(ctx); err != nil {
		return c, err
	}
	return c, s.lostKey(ctx, c.after)
}

// begin creates the starting state of an operation.
func (s *site) begin(ctx context.Context, op interruption) error {
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("starting state: %w", err)
	}
	if op.before != nil {
		if err := op.before(ctx, s); err != nil {
			return fmt.Errorf("starting state: %w", err)
		}
	}
	return s.settle(ctx)
}

// crashed is one interrupted operation.
type crashed struct {
	*site
	op    interruption
	want  change
	fault fault
	call  int
	hit   drivertest.Call // the call that was interrupted; Number 0: none was
}

func (c *crashed) run(ctx context.Context) error {
	if err := c.begin(ctx, c.op); err != nil {
		return err
	}
	store, err := c.process(c.inject)
	if err != nil {
		return err
	}
	outcome := c.op.do(ctx, store)
	if c.hit.Number == 0 {
		return outcome
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	if !c.op.lost {
		if err := c.judge(ctx, outcome); err != nil {
			return err
		}
	}
	if c.fault.gone {
		if store, err = c.process(nil); err != nil {
			return err
		}
	}
	if err := c.op.do(ctx, store); err != nil {
		return fmt.Errorf("done again: %w", err)
	}
	if err := c.finished(ctx); err != nil {
		return fmt.Errorf("done again: %w", err)
	}
	return c.repaired(ctx)
}

// inject applies the fault to the chosen call.
func (c *crashed) inject(secrets driver.Secrets) driver.Secrets {
	fail := drivertest.FailCall(c.call, c.fault.how)
	if c.fault.gone {
		fail = drivertest.FailFrom(c.call, c.fault.how)
	}
	return drivertest.Inject(secrets, func(call drivertest.Call) drivertest.Outcome {
		if call.Number == c.call {
			c.hit = call
		}
		return fail(call)
	})
}

// judge checks the tokens that the interrupted operation has left. The result of an
// operation whose process died does not count.
func (c *crashed) judge(ctx context.Context, outcome error) error {
	now, err := c.stored(ctx)
	if err != nil {
		return err
	}
	happened := maps.Equal(now, c.want.after)
	if outcome == nil && !c.fault.gone && !happened {
		return fmt.Errorf("the operation returned no error, but has not happened:\n%s", listing(now))
	}
	if err := c.wholly(now); err != nil {
		return err
	}
	if c.op.edited {
		return nil
	}
	return c.lostKey(ctx, now)
}

// wholly returns an error if the operation has happened only in part.
func (c *crashed) wholly(now tokens) error {
	if maps.Equal(now, c.want.before) || maps.Equal(now, c.want.after) {
		return nil
	}
	if !c.op.many {
		return fmt.Errorf("the operation has happened only in part:\n%s", listing(now))
	}
	ids := map[string]bool{}
	for _, m := range []tokens{now, c.want.before, c.want.after} {
		for id := range m {
			ids[id] = true
		}
	}
	for id := range ids {
		if now[id] != c.want.before[id] && now[id] != c.want.after[id] && !c.between(now[id]) {
			return fmt.Errorf("a token is neither as before the operation nor as after:\n%s", listing(now))
		}
	}
	return nil
}

// between reports whether a token is as after the first of two saves.
func (c *crashed) between(now tokenstore.Noted) bool {
	first := tokenOf(user1, "one")
	first.ID, first.AccessToken = derivedID(first), "a-renewed"
	return now == tokenstore.Noted{OAuthToken: first, Note: c.want.before[first.ID].Note}
}

// finished returns an error unless the tokens are as after the operation.
func (c *crashed) finished(ctx context.Context) error {
	if err := c.settle(ctx); err != nil {
		return err
	}
	now, err := c.stored(ctx)
	if err != nil {
		return err
	}
	if !maps.Equal(now, c.want.after) {
		return fmt.Errorf("the tokens are not as after the operation:\n%s\nbut:\n%s", listing(c.want.after), listing(now))
	}
	return c.lostKey(ctx, now)
}

// repaired runs a repair after the grace period, and after another grace period a second
// one, which removes what the first one has emptied.
func (c *crashed) repaired(ctx context.Context) error {
	for range 2 {
		c.advance(later)
		store, err := c.process(nil)
		if err != nil {
			return err
		}
		report, err := store.Reindex(ctx, secretstore.ReindexOptions{})
		if err != nil {
			return fmt.Errorf("the repair: %w", err)
		}
		if report.KeysAdded > 0 {
			return fmt.Errorf("%d keys of stored tokens were missing in the index", report.KeysAdded)
		}
		if err := c.finished(ctx); err != nil {
			return fmt.Errorf("after the repair: %w", err)
		}
		if err := clean(ctx, store); err != nil {
			return err
		}
	}
	return nil
}

// clean returns an error if a repair would change anything.
func clean(ctx context.Context, store *secretstore.Store) error {
	r, err := store.Check(ctx)
	if err != nil {
		return fmt.Errorf("the check after the repair: %w", err)
	}
	if r.KeysAdded+r.HintsRemoved+r.HintsYoung+r.TombstonesSwept+r.Tombstones+r.IndexSwept > 0 || len(r.Unreadable) > 0 {
		return fmt.Errorf("the repair left something behind: %+v", r)
	}
	return nil
}

func listing(all tokens) string {
	var lines []string
	for _, t := range all {
		lines = append(lines, reply{token: t.OAuthToken, note: t.Note}.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
