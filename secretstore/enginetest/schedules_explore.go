// The search through the interleavings, depth first, by replay.

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// crash says after how many of its calls a process dies.
type crash struct{ process, calls int }

var noCrash = crash{process: -1}

// explorer runs one scenario many times.
type explorer struct {
	engine   NewEngine
	own      func(process string) []secretstore.Option
	scenario scenario
	runs     int
	switches int   // the maximum number of switches in a run; 0 means any
	longest  []int // calls of each process in the longest run
	// expected are the outcomes of the operations one after the other, by order.
	expected map[string]outcome
}

func newExplorer(engine NewEngine, s scenario, own func(process string) []secretstore.Option, switches int) *explorer {
	if own == nil {
		own = func(string) []secretstore.Option { return nil }
	}
	return &explorer{engine: engine, own: own, switches: switches, scenario: s, longest: make([]int, len(s.ops)), expected: map[string]outcome{}}
}

// node is a point of a run at which several processes wait to make a call.
type node struct {
	calls map[int]drivertest.Call // the next call of each waiting process
	left  []int                   // the processes that have not yet gone first
	taken int                     // the process that goes
	last  int                     // the process that went before, or -1
	// switches is how often, up to here, a process had to wait although it could have
	// continued.
	switches int
}

func (n *node) next() bool {
	if len(n.left) == 0 {
		return false
	}
	n.taken, n.left = n.left[0], n.left[1:]
	return true
}

// point is the state of a run when the next process must be chosen.
type point struct {
	depth int // calls so far
	calls map[int]drivertest.Call
	// state digests the stored data, the answers that every process has received, and
	// which processes had returned before another one began. The rest of a run depends
	// on nothing else.
	state uint64
}

// chooser chooses the next process; stop ends the run because another run has been at the
// same point.
type chooser func(point) (process int, stop bool)

// explore runs the interleavings of the scenario, depth first. A run ends at a point where
// another one has been.
func (e *explorer) explore(ctx context.Context, dead crash) error {
	var path []*node
	// The process that may continue without a switch is part of the point: it goes
	// first.
	type key struct {
		state           uint64
		switches, first int
	}
	been := map[key]bool{}
	for {
		err := e.run(ctx, dead, func(p point) (int, bool) {
			if p.depth < len(path) {
				return path[p.depth].taken, false
			}
			n := e.node(path, p)
			k := key{p.state, n.switches, n.left[0]}
			if been[k] {
				return 0, true
			}
			been[k] = true
			n.next()
			path = append(path, n)
			return n.taken, false
		})
		if err != nil {
			return fmt.Errorf("%w\n%s", err, e.describe(path, dead))
		}
		// Back to the last point with a branch that has not been taken.
		for len(path) > 0 && !path[len(path)-1].next() {
			path = path[:len(path)-1]
		}
		if len(path) == 0 {
			return nil
		}
	}
}

// node returns the node at the end of a path. The process that went last goes first;
// others follow if the limit of switches allows it.
func (e *explorer) node(path []*node, p point) *node {
	n := &node{calls: p.calls, left: slices.Sorted(maps.Keys(p.calls)), last: -1}
	if len(path) == 0 {
		return n
	}
	before := path[len(path)-1]
	n.last, n.switches = before.taken, before.switches
	if _, waits := before.calls[before.last]; waits && before.taken != before.last {
		n.switches++
	}
	if i := slices.Index(n.left, n.last); i >= 0 {
		n.left = append([]int{n.last}, slices.Delete(n.left, i, i+1)...)
		if e.switches > 0 && n.switches >= e.switches {
			n.left = n.left[:1]
		}
	}
	return n
}

// random runs one random interleaving.
func (e *explorer) random(ctx context.Context, r *rand.Rand, dead crash) error {
	var order []string
	err := e.run(ctx, dead, func(p point) (int, bool) {
		waiting := slices.Sorted(maps.Keys(p.calls))
		process := waiting[r.IntN(len(waiting))]
		order = append(order, describeCall(process, p.calls[process]))
		return process, false
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(order, "\n"))
	}
	return nil
}

// run runs the scenario once, and checks the outcome unless the chooser stopped
// the run because another covers it.
func (e *explorer) run(ctx context.Context, dead crash, choose chooser) error {
	l := newLedger()
	if err := e.prepare(ctx, l.process("start")); err != nil {
		return err
	}
	r, err := e.newRace(ctx, l, dead)
	if err != nil {
		return err
	}
	if err := r.run(choose); err != nil || r.stopped {
		return err
	}
	e.runs++
	return e.check(ctx, l.process("end"), r)
}

// prepare creates the starting state.
func (e *explorer) prepare(ctx context.Context, secrets driver.Secrets) error {
	for i, op := range e.scenario.start {
		store, err := e.open(secrets, fmt.Sprint("s", i), startTime, nil)
		if err != nil {
			return err
		}
		read, err := op.prepare(ctx, store)
		if err == nil {
			_, err = op.do(ctx, store, read)
		}
		if err != nil {
			return fmt.Errorf("starting state: %s: %w", op.name, err)
		}
	}
	return nil
}

// result is how one operation of a race ended.
type result struct {
	process int
	seen    reply
	err     error
}

// race is one concurrent run of the operations, with its results.
type race struct {
	explorer *explorer
	ledger   *ledger
	dead     crash
	gate     *drivertest.Gate
	done     chan result

	steps   int // calls so far
	running int // operations that have not returned
	waiting map[int]*drivertest.Arrival
	made    []int        // calls of each process
	gone    map[int]bool // processes that crashed
	stopped bool

	results []result
	// began and ended are when an operation made its first call and when it returned,
	// counted in calls of all processes; zero means not yet.
	began, ended []int
}

// newRace starts the operations. Each one stops at its first call.
func (e *explorer) newRace(ctx context.Context, l *ledger, dead crash) (*race, error) {
	n := len(e.scenario.ops)
	r := &race{
		explorer: e, ledger: l, dead: dead, gate: drivertest.NewGate(), done: make(chan result), running: n,
		waiting: map[int]*drivertest.Arrival{}, made: make([]int, n), gone: map[int]bool{},
		results: make([]result, n), began: make([]int, n), ended: make([]int, n),
	}
	for i := range n {
		r.ended[i] = -1
	}
	var begin []func()
	for i, op := range e.scenario.ops {
		name := fmt.Sprint(i)
		service := &gateway{l.process(name)}
		store, err := e.open(service, "p"+name, runTime, func() { l.restart(name) })
		if err != nil {
			return nil, err
		}
		read, err := op.prepare(ctx, store)
		if err != nil {
			return nil, err
		}
		service.Secrets = r.gate.Wrap(name, service.Secrets)
		begin = append(begin, func() {
			seen, err := op.do(ctx, store, read)
			r.done <- result{i, seen, err}
		})
	}
	for _, op := range begin {
		go op()
	}
	return r, nil
}

// gateway is the service of a process, which is put behind the gate when the operations
// begin.
type gateway struct{ driver.Secrets }

// run makes one call after another, as the chooser says, until all operations have
// returned.
func (r *race) run(choose chooser) error {
	for {
		r.await()
		if r.running == 0 {
			return nil
		}
		calls := map[int]drivertest.Call{}
		for process, a := range r.waiting {
			calls[process] = a.Call
		}
		process, stop := choose(point{r.steps, calls, r.state()})
		if stop {
			r.stop()
			continue
		}
		if err := r.let(process); err != nil {
			return err
		}
	}
}

// await waits until each operation waits to make a call or has returned.
func (r *race) await() {
	for r.running > len(r.waiting) {
		select {
		case a := <-r.gate.Arrivals():
			process := int(a.Process[0] - '0')
			if r.stopped || process == r.dead.process && r.made[process] >= r.dead.calls {
				r.gone[process] = true
				a.Deny(errGone)
				continue
			}
			r.waiting[process] = a
		case res := <-r.done:
			if r.gone[res.process] {
				res.err = errGone // No caller sees the result of a dead process.
			}
			r.results[res.process], r.ended[res.process] = res, r.steps
			r.running--
		}
	}
}

// let makes the waiting call of a process.
func (r *race) let(process int) error {
	a, ok := r.waiting[process]
	if !ok {
		return errors.New("a replay differs: the engine is not deterministic")
	}
	delete(r.waiting, process)
	if r.steps++; r.made[process] == 0 {
		r.began[process] = r.steps
	}
	r.made[process]++
	r.explorer.longest[process] = max(r.explorer.longest[process], r.made[process])
	a.Allow()
	return nil
}

// stop ends a run without checking it.
func (r *race) stop() {
	r.stopped = true
	for process, a := range r.waiting {
		delete(r.waiting, process)
		a.Deny(errGone)
	}
}

// before reports whether operation i returned before operation j began.
func (r *race) before(i, j int) bool {
	return !r.gone[i] && r.ended[i] >= 0 && r.began[j] > r.ended[i]
}

// state digests the state of the run; see point.
func (r *race) state() uint64 {
	var h maphash.Hash
	h.SetSeed(ledgerSeed)
	maphash.WriteComparable(&h, r.ledger.state())
	for i := range r.results {
		_, waits := r.waiting[i]
		maphash.WriteComparable(&h, r.ledger.seen[strconv.Itoa(i)])
		maphash.WriteComparable(&h, [2]bool{waits, r.gone[i]})
		for j := range r.results {
			maphash.WriteComparable(&h, r.before(i, j))
		}
	}
	return h.Sum64()
}

// describe returns the interleaving of a run.
func (e *explorer) describe(path []*node, dead crash) string {
	var b strings.Builder
	for _, n := range path {
		b.WriteString(describeCall(n.taken, n.calls[n.taken]) + "\n")
	}
	if dead != noCrash {
		fmt.Fprintf(&b, "process %d dies after %d calls\n", dead.process, dead.calls)
	}
	return b.String()
}

func describeCall(process int, c drivertest.Call) string {
	return fmt.Sprintf("process %d: %s %s%s", process, c.Method, c.Name, strings.Join(c.Names, ","))
}
