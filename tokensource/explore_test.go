package tokensource_test

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// report is what the exploration of a scenario has found.
type report struct {
	states, runs, ends int
	wrong              map[string][]choice // what is wrong, and how it comes about
	cut                bool
}

// maxSteps is more than any run takes.
const maxSteps = 300

// explore goes through every interleaving of a scenario, depth first. It runs the real code from the
// start for each, and leaves a run when it reaches a state that was seen before.
func explore(t *testing.T, sc *scenario, limit int) *report {
	rep := &report{wrong: map[string][]choice{}}
	seen := map[uint64]struct{}{}
	seed := maphash.MakeSeed()
	open := [][]choice{nil}
	for len(open) > 0 && len(rep.wrong) == 0 {
		if len(seen) >= limit {
			rep.cut = true
			break
		}
		prefix := open[len(open)-1]
		open = open[:len(open)-1]
		rep.runs++
		synctest.Test(t, func(t *testing.T) {
			r := newRun(t, sc, seed)
			defer r.close()
			path := slices.Clone(prefix)
			for _, c := range prefix {
				rep.step(r, c, path)
			}
			for {
				k := r.key()
				if _, ok := seen[k]; ok {
					return
				}
				seen[k] = struct{}{}
				cs := r.choices()
				if len(cs) == 0 || len(path) > maxSteps {
					rep.ends++
					r.checkEnd()
					rep.note(r, path)
					return
				}
				for _, c := range cs[1:] {
					open = append(open, append(slices.Clone(path), c))
				}
				path = append(path, cs[0])
				rep.step(r, cs[0], path)
			}
		})
	}
	rep.states = len(seen)
	return rep
}

// step takes one step, and notes what is wrong after it.
func (rep *report) step(r *run, c choice, path []choice) {
	before := r.famDead
	r.take(c)
	r.checkRevoked(before, c)
	rep.note(r, path)
}

func (rep *report) note(r *run, path []choice) {
	for _, what := range r.wrong {
		if old, ok := rep.wrong[what]; !ok || len(path) < len(old) {
			rep.wrong[what] = slices.Clone(path)
		}
	}
	r.wrong = nil
}

// random takes a random way through a scenario.
func random(t *testing.T, sc *scenario, seed uint64) *report {
	rep := &report{wrong: map[string][]choice{}, runs: 1}
	rnd := rand.New(rand.NewPCG(seed, 1))
	synctest.Test(t, func(t *testing.T) {
		r := newRun(t, sc, maphash.MakeSeed())
		defer r.close()
		var path []choice
		for len(path) <= maxSteps {
			cs := r.choices()
			if len(cs) == 0 {
				break
			}
			c := cs[rnd.IntN(len(cs))]
			path = append(path, c)
			rep.step(r, c, path)
		}
		rep.ends, rep.states = 1, len(path)
		r.checkEnd()
		rep.note(r, path)
	})
	return rep
}

// trace replays a path in words.
func trace(t *testing.T, sc *scenario, path []choice) string {
	var b strings.Builder
	synctest.Test(t, func(t *testing.T) {
		r := newRun(t, sc, maphash.MakeSeed())
		defer r.close()
		fmt.Fprintf(&b, "    start: %s\n", r.show(r.cur))
		for _, c := range path {
			var what string
			switch c.who {
			case clock:
				what = "time passes"
			case person:
				what = editNames[edit(c.how)]
			case network:
				what = "the late request arrives"
			default:
				q := r.workers[c.who].calls[0]
				what = fmt.Sprintf("%d: %s", c.who, q.op)
				if q.op == "swap" {
					what += fmt.Sprintf(" %s [%s]", q.query.AccessToken, q.note)
				}
				if c.how != normally {
					what += fmt.Sprintf(" (%c)", c.how)
				}
			}
			r.take(c)
			fmt.Fprintf(&b, "    %6s %s   row: %s\n", time.Since(r.start), what, r.show(r.cur))
			for _, w := range r.workers {
				if w.done && !w.crashed {
					fmt.Fprintf(&b, "             %d has %s %v\n", w.i, w.token, w.err)
				}
			}
		}
	})
	return b.String()
}
