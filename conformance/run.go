// The entry points of the suite for stores, for use with and without package testing.

package conformance

import (
	"context"
	"iter"
	"testing"

	"example.com/tokenstore"
)

// Case is one case of the suite.
type Case struct {
	// Name names the case: "F05", "concurrent-new-user".
	Name string
	// Rule is the rule that it tests, in words.
	Rule string

	run func(*trial)
	// refusable cases are excused only by a proper refusal.
	refusable bool
}

// Cases returns the cases of [Store] and [Run], in the order in which they run.
func Cases() []Case {
	var cases []Case
	for _, group := range [][]Case{
		findCases(), saveCases(), deleteCases(), byIDCases(), listCases(), openCases(), handleCases(), foreignCases(),
		adoptionCases(), sequenceCases(), expiryCases(), isolationCases(), errorCases(), contextCases(),
		textCases(), idCases(), pairCases(), sizeCases(), concurrentCases(), manyCases(), streamCases(),
		personCases(), swapCases(), removeCases(), pingCases(), lookCases(), tellCases(), diagnoseCases(), boundCases(),
	} {
		cases = append(cases, group...)
	}
	return cases
}

// Store runs every case as a subtest of t. newStore returns a new, empty store for each
// case; it uses t.Cleanup to close things. A case that fails as declared with
// [WithMissing] is skipped with its reason, and all of these are logged at the end.
func Store(t *testing.T, newStore func(t testing.TB) tokenstore.Store, options ...Option) {
	t.Helper()
	s, cases := newSettings(options), Cases()
	s.subtests(t, func(t *testing.T, i int) Result {
		return s.try(t.Context(), cases[i], func(context.Context) (tokenstore.Store, error) { return newStore(t), nil }, false)
	})
}

// Run runs every case without package testing and yields each result as the case ends; to
// stop, break out of the loop. newStore returns a new, empty store for each case; Run
// closes it after the case if it is an io.Closer. Run uses no store that is not empty. If
// ctx ends, Run stops without a result for the running case.
//
//	for result := range conformance.Run(ctx, newStore) {
//		fmt.Println(result)
//	}
func Run(ctx context.Context, newStore func(context.Context) (tokenstore.Store, error), options ...Option) iter.Seq[Result] {
	s, cases := newSettings(options), Cases()
	return s.results(ctx, func(i int) Result { return s.try(ctx, cases[i], newStore, true) })
}

const ruleNewStore = "newStore returns a new, empty store"

// try runs one case on a store of its own.
func (s *settings) try(ctx context.Context, c Case, newStore func(context.Context) (tokenstore.Store, error), closes bool) Result {
	t := caseTrial(ctx, s, c.Name, c.Rule)
	t.run(func() {
		store, err := newStore(ctx)
		if err != nil {
			t.breaks(ruleNewStore, "newStore: %s", safe(err))
			return
		}
		if closes {
			t.closes(store)
		}
		t.store = &handle{store: store, trial: t}
		if !t.empty() {
			return
		}
		c.run(t)
		t.readOutput(s.output, ruleNoCredential)
	})
	return s.judge(&t.record, func(f Finding) bool { return f.refusal || !c.refusable })
}
