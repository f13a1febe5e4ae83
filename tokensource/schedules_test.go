package tokensource_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/sqlstore"
)

var long = os.Getenv("TOKENSTORE_LONG") != ""

// providers are the six kinds.
var providers = []scenario{
	{class: keeps}, {class: mild}, {class: strict},
	{class: replay, grace: 15 * time.Second}, {class: branch, grace: 15 * time.Second},
	{class: replay, grace: 150 * time.Second}, {class: branch, grace: 150 * time.Second}, {class: last, grace: 150 * time.Second},
}

// few are the kinds that between them take every way through the code.
var few = []scenario{{class: keeps}, {class: mild}, {class: strict}, {class: branch, grace: 15 * time.Second}, {class: branch, grace: 150 * time.Second}}

// scenarios are two workers with at most one fault and one edit.
func scenarios(kinds []scenario) []*scenario {
	var all []*scenario
	one := []faults{{}, {crash: 1}, {sleep: 1}, {pause: 1}, {stale: 1}, {lostStore: 1}, {lostProvider: 1}, {late: 1}}
	edits := []edit{0, editX, editNew, editDelete, editRevoke}
	for _, p := range kinds {
		add := func(good time.Duration, change func(*scenario)) {
			sc := p
			sc.good, sc.workers, sc.ticks = good, 2, 1
			change(&sc)
			all = append(all, &sc)
		}
		for _, good := range []time.Duration{0, 20 * time.Second} {
			for _, f := range one {
				add(good, func(sc *scenario) { sc.faults = f })
				if long || f == (faults{}) {
					add(good, func(sc *scenario) { sc.faults, sc.dead = f, true })
				}
			}
			for _, e := range edits[1:] {
				add(good, func(sc *scenario) { sc.edits = e })
				for _, f := range one[1:] {
					if long && f.crash+f.lostStore+f.sleep > 0 {
						add(good, func(sc *scenario) { sc.faults, sc.edits = f, e })
					}
				}
			}
			add(good, func(sc *scenario) { sc.edits, sc.dead = editNew, true })
			add(good, func(sc *scenario) { sc.skew = 2 * time.Minute })
			add(good, func(sc *scenario) { sc.legacy = 1 })
		}
		// An access token that outlives a claim.
		for _, f := range []faults{{crash: 1}, {lostProvider: 1}, {late: 1}} {
			add(time.Minute, func(sc *scenario) { sc.faults, sc.again = f, 10 })
		}
	}
	return all
}

// TestSchedules drives the real Source through the interleavings of two workers with at most one
// fault: every one that has at most two thousand states before it, or all with TOKENSTORE_LONG.
func TestSchedules(t *testing.T) {
	if long {
		exploreAll(t, scenarios(providers), 1<<30)
		return
	}
	exploreAll(t, scenarios(few), shorter(2000))
}

// shorter is a tenth of a number of runs with -short: the race detector makes each of them ten
// times as slow, and finds no more in many of them.
func shorter(runs int) int {
	if testing.Short() {
		return runs / 10
	}
	return runs
}

func exploreAll(t *testing.T, all []*scenario, limit int) {
	var sum report
	cut := 0
	for _, sc := range all {
		rep := explore(t, sc, limit)
		sum.states += rep.states
		sum.runs += rep.runs
		sum.ends += rep.ends
		if rep.cut {
			cut++
		}
		if rep.fail(t, sc) {
			return // The others would say the same.
		}
	}
	t.Logf("%d scenarios (%d cut): %d states, %d runs, %d ends", len(all), cut, sum.states, sum.runs, sum.ends)
}

// fail reports what is wrong in a scenario, with the shortest way to it.
func (rep *report) fail(t *testing.T, sc *scenario) bool {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(rep.wrong)) {
		t.Errorf("%s: %s\n%s", sc, what, trace(t, sc, rep.wrong[what]))
	}
	return len(rep.wrong) > 0
}

// TestRandomSchedules draws ways through scenarios of three workers and more faults.
func TestRandomSchedules(t *testing.T) {
	runs := shorter(300)
	if long {
		runs = 20000
	}
	n := 0
	for _, p := range providers {
		for seed := range uint64(runs) {
			sc := p
			sc.workers, sc.ticks, sc.slow = 3, 6, 2
			if seed%2 == 0 {
				sc.good = 20 * time.Second
			}
			sc.faults = faults{crash: 1, sleep: 1, stale: 2, lostStore: 2, lostProvider: 1}
			sc.edits = edit(seed/2) % (2 * editRevoke)
			if sc.edits&editNew != 0 {
				sc.edits &^= editDelete
			}
			rep := random(t, &sc, seed)
			n += rep.states
			if rep.fail(t, &sc) {
				return
			}
		}
	}
	t.Logf("%d steps", n)
}

// TestSchedulesOverStores goes through the interleavings over stores of this module.
func TestSchedulesOverStores(t *testing.T) {
	memory := func(t *testing.T) realStore { return secretstore.NewMemory() }
	sqlite := func(t *testing.T) realStore {
		store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	for name, open := range map[string]func(*testing.T) realStore{"memory": memory, "sqlite": sqlite} {
		t.Run(name, func(t *testing.T) {
			limit := map[string]int{"memory": 60, "sqlite": 5}[name]
			if long {
				limit *= 20
			}
			var all []*scenario
			for i, sc := range scenarios(few) {
				if name == "sqlite" && !long && i%10 != 0 {
					continue // It opens a database for each run.
				}
				if sc.edits&editNew == 0 { // A person's edit that no store offers.
					sc.open = open
					all = append(all, sc)
				}
			}
			exploreAll(t, all, limit)
		})
	}
}
