package faults

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMissed gives the judge runs in which too little happened, all of which it must
// report, and runs that were slow or short.
func TestMissed(t *testing.T) {
	soak := plan{time: time.Minute, outages: 15 * time.Second, kills: 5 * time.Second, mortal: 1, memory: true}
	short := soak
	short.time, short.memory = 3*time.Second, false
	calm := plan{time: time.Minute}
	counts := func(changes, away, kills int) map[string]int {
		return map[string]int{changed: changes, outages: away, killed: kills, "save: ok": 1000}
	}
	measured := map[string][]usage{}
	for _, life := range []string{"0-0", "1-0", "2-0"} {
		measured[life] = make([]usage, enoughMeasures)
	}
	one := map[string][]usage{"0-0": measured["0-0"], "1-0": measured["1-0"][1:], "3-0": measured["0-0"]}
	for _, c := range []struct {
		name     string
		plan     plan
		counts   map[string]int
		measures map[string][]usage
		want     []string // how each finding begins
	}{
		{"slow", soak, counts(60, 1, 1), measured, nil},
		{"hardly a change", soak, counts(59, 1, 1), measured, []string{"only 59 changes"}},
		{"nothing", soak, nil, nil, []string{"only 0 changes", "the server", "no process", "the memory of process 0", "the memory of process 1", "the memory of process 2"}},
		{"no outage", soak, counts(6000, 0, 9), measured, []string{"the server"}},
		{"no kill", soak, counts(6000, 4, 0), measured, []string{"no process"}},
		{"a process measured too rarely, and one never", soak, counts(6000, 4, 9), one, []string{"the memory of process 1 was measured 7", "the memory of process 2 was measured 0"}},
		{"too short for an outage, a kill or a measure", short, counts(3, 0, 0), nil, nil},
		{"nothing planned", calm, counts(60, 0, 0), nil, nil},
	} {
		got := c.plan.missed(c.counts, c.measures)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
