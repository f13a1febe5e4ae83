package faults

import (
	"maps"
	"slices"
	"testing"
)

// growth and slack limit a process's usage at the end of a run, compared with a quarter
// of the run, when everything had been in use. slack covers the randomness of the
// collector and the system.
const (
	growth         = 1.5
	slackHeap      = 8 << 20
	slackResident  = 32 << 20
	slackRoutines  = 60 // connections being opened and closed
	enoughMeasures = 8
)

// reportMemory shows the memory of each long-lived process, and fails the test if it
// has grown.
func (f *fleet) reportMemory(t *testing.T) {
	for _, process := range slices.Sorted(maps.Keys(f.measures)) {
		all := f.measures[process]
		if len(all) < enoughMeasures {
			continue
		}
		quarter := len(all) / 4
		first, last := middle(all[quarter:2*quarter]), middle(all[len(all)-quarter:])
		const mega = 1 << 20
		t.Logf("process %s: heap %.1f MiB, later %.1f; resident %.1f MiB, later %.1f; %d goroutines, later %d",
			process, float64(first.heap)/mega, float64(last.heap)/mega,
			float64(first.resident)/mega, float64(last.resident)/mega, first.goroutines, last.goroutines)
		for _, grown := range []struct {
			what               string
			first, last, slack int64
		}{
			{"heap", first.heap, last.heap, slackHeap},
			{"resident memory", first.resident, last.resident, slackResident},
			{"number of goroutines", first.goroutines, last.goroutines, slackRoutines},
		} {
			if float64(grown.last) > growth*float64(grown.first)+float64(grown.slack) {
				t.Errorf("process %s: its %s has grown from %d to %d", process, grown.what, grown.first, grown.last)
			}
		}
	}
}

// middle returns the median of each figure.
func middle(all []usage) usage {
	of := func(figure func(usage) int64) int64 {
		var figures []int64
		for _, u := range all {
			figures = append(figures, figure(u))
		}
		slices.Sort(figures)
		return figures[len(figures)/2]
	}
	return usage{
		heap:       of(func(u usage) int64 { return u.heap }),
		resident:   of(func(u usage) int64 { return u.resident }),
		goroutines: of(func(u usage) int64 { return u.goroutines }),
	}
}
