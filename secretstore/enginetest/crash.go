package enginetest

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// CrashOptions are the options of [Crash].
type CrashOptions struct {
	Service
	// Fanout, if not zero, is a fan-out to which the repair changes the index, as
	// one more operation that is interrupted.
	Fanout int
	// Every, if above one, interrupts only every so many-th call of an operation.
	Every int
	// Only, if not empty, names the operations that are interrupted.
	Only []string
}

// Crash interrupts every operation of the engine at every call that it makes to
// its service: the call fails before it is carried out, or after, and the
// process goes on or is gone. newSecrets returns a new, empty service each time.
//
// Another process then finds every token that is stored by each of its keys,
// through the index alone. The operation has happened wholly or not at all, or,
// if it is about many tokens, so it is for each of them. Done again, by the same
// process if that is still there, it succeeds. A repair that is later than the
// grace period finds no key missing and leaves nothing behind.
func Crash(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, engine NewEngine, options CrashOptions) {
	t.Helper()
	only := map[string]bool{}
	for _, name := range options.Only {
		only[name] = true
	}
	for _, op := range interruptions(options.Fanout) {
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
		t.Errorf("%q is no operation", name)
	}
}

// fault is one way in which a call is interrupted.
type fault struct {
	name string
	gone bool // no later call reaches the service either
	how  drivertest.Outcome
}

// differs reports whether the fault makes a difference to a call. Whether a read
// reached the service does not matter, nor whether a process was gone before or
// after it; and to be gone before a write is to be gone after the one before.
func (f fault) differs(m drivertest.Method) bool { return m.Writes() || !f.gone && !f.how.Done }

var crashFaults = []fault{
	{"fails before it is carried out", false, drivertest.Unreached},
	{"is carried out and fails", false, drivertest.LoseReply},
	{"is the last before the process is gone", true, drivertest.LoseReply},
}

// interrupt interrupts an operation at every so many-th call, in each of the ways
// at others, and returns how often it did.
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

// change is what an operation does: the tokens before and after it.
type change struct {
	before, after map[string]tokenstore.OAuthToken
}

// uninterrupted returns what the operation does.
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

// begin makes the starting state of an operation.
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

// inject gives the chosen call the fault.
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

// judge looks at what the interrupted operation has left. A process that is gone
// told nobody how it ended.
func (c *crashed) judge(ctx context.Context, outcome error) error {
	tokens, err := c.stored(ctx)
	if err != nil {
		return err
	}
	happened := maps.Equal(tokens, c.want.after)
	if outcome == nil && !c.fault.gone && !happened {
		return fmt.Errorf("the operation gave no error, and it has not happened:\n%s", listing(tokens))
	}
	if err := c.wholly(tokens); err != nil {
		return err
	}
	if c.op.edited {
		return nil
	}
	return c.lostKey(ctx, tokens)
}

// wholly returns an error if the operation has happened in part.
func (c *crashed) wholly(tokens map[string]tokenstore.OAuthToken) error {
	if maps.Equal(tokens, c.want.before) || maps.Equal(tokens, c.want.after) {
		return nil
	}
	if !c.op.many {
		return fmt.Errorf("the operation has happened in part:\n%s", listing(tokens))
	}
	ids := map[string]bool{}
	for _, m := range []map[string]tokenstore.OAuthToken{tokens, c.want.before, c.want.after} {
		for id := range m {
			ids[id] = true
		}
	}
	for id := range ids {
		if tokens[id] != c.want.before[id] && tokens[id] != c.want.after[id] && !c.between(tokens[id]) {
			return fmt.Errorf("a token is neither as before the operation nor as after:\n%s", listing(tokens))
		}
	}
	return nil
}

// between reports whether a token is as after the first of two saves of it.
func (c *crashed) between(token tokenstore.OAuthToken) bool {
	first := tokenOf(user1, "one")
	first.ID, first.AccessToken = derivedID(first), "a-renewed"
	return token == first
}

// finished returns an error unless all is as the operation leaves it.
func (c *crashed) finished(ctx context.Context) error {
	if err := c.settle(ctx); err != nil {
		return err
	}
	tokens, err := c.stored(ctx)
	if err != nil {
		return err
	}
	if !maps.Equal(tokens, c.want.after) {
		return fmt.Errorf("the tokens are not as after the operation:\n%s\nbut:\n%s", listing(c.want.after), listing(tokens))
	}
	return c.lostKey(ctx, tokens)
}

// repaired lets a repair run after the grace period, and one more after another,
// which removes what the first has emptied.
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

// clean returns an error if a repair would find anything.
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

func listing(tokens map[string]tokenstore.OAuthToken) string {
	var list []tokenstore.OAuthToken
	for _, t := range tokens {
		list = append(list, t)
	}
	return describeRows(list)
}
