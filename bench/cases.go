// The figures of the page: each kind is computed here, and laid out in sections.go.

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore/bench/plot"
)

// runner computes the figures.
type runner struct {
	t       *testing.T     // whom a simulation wants
	pattern *regexp.Regexp // of ways
	part    *regexp.Regexp // of the parts of the page
	tokens  int            // that are stored for the tables
	sizes   []int          // numbers of tokens for the plots
	rounds  int
	round   time.Duration
	folder  string // for files
	before  string // the commit that is compared with, "" for none
	say     func(format string, args ...any)
}

// chosen returns the ways that the pattern matches.
func (r runner) chosen() []way {
	return slices.DeleteFunc(ways(), func(w way) bool { return !r.pattern.MatchString(w.String()) })
}

// counted is a way's calls, time and bill.
type counted struct {
	way
	costs map[operation]cost
	bill  *dollars // nil: nobody charges for it, or it cannot do what the bill is for
}

// count returns what can be counted, which is the same in every run.
func (r runner) count(ctx context.Context) ([]counted, error) {
	var all []counted
	for _, w := range r.chosen() {
		c := counted{way: w}
		n := w.stored(r.tokens)
		var err error
		if c.bill, err = r.month(ctx, w, n); err != nil {
			return nil, err
		}
		if remote(w) {
			if c.costs, err = w.simulate(r.t, n, roundTrips...); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// remote reports whether a way makes calls.
func remote(w way) bool { return w.service == onAWS || w.service == onGCP || w.service == onVault }

func (r runner) month(ctx context.Context, w way, n int) (bill *dollars, err error) {
	if w.service != onAWS && w.service != onGCP {
		return nil, nil
	}
	err = w.try(ctx, world{folder: r.folder}, n, func(k *keeper) error {
		if k.do[findUser] == nil || k.do[save] == nil {
			return nil
		}
		d, err := month(ctx, k, n)
		bill = &d
		return err
	})
	return bill, err
}

// different is how many tokens are used by turns.
const different = 64

// pick returns the number of one of n tokens; a few of them are used by turns, from all over the store.
func pick(i, n int) int { return i % min(different, n) * max(1, n/different) }

// meter measures an operation on different tokens of n.
func (k *keeper) meter(ctx context.Context, op operation, n int, round time.Duration) (*meter, error) {
	tokens := newTokens(0)
	for i := range min(different, n) {
		tokens = append(tokens, newToken(pick(i, n)))
	}
	return newMeter(round, func(i int) error {
		t := tokens[i%len(tokens)]
		if op == save {
			t = refreshed(t, i+1)
		}
		return k.do[op](ctx, t)
	})
}

// measured is what a way uses.
type measured struct {
	service, name string
	ours          bool
	tokens        int
	uses          map[operation]usage
}

// measure returns what all ways use for each operation.
func (r runner) measure(ctx context.Context) ([]measured, error) {
	var all []measured
	for _, w := range r.chosen() {
		m := measured{w.service, w.name, w.ours, w.stored(r.tokens), map[operation]usage{}}
		err := w.try(ctx, world{folder: r.folder}, m.tokens, func(k *keeper) error {
			for _, op := range operations {
				if k.do[op] == nil || k.source && op != fromMemory {
					continue
				}
				meter, err := k.meter(ctx, op, m.tokens, r.round)
				if err != nil {
					return fmt.Errorf("%s: %w", op, err)
				}
				used, err := rounds(r.rounds, meter)
				if err != nil {
					return fmt.Errorf("%s: %w", op, err)
				}
				m.uses[op] = used[0]
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, s := range sdks {
		m, err := r.python(ctx, s, r.tokens)
		if errors.Is(err, errNoPython) {
			r.say("%v", err)
			break
		}
		if err != nil {
			return nil, err
		}
		if r.pattern.MatchString(s.service + "/" + s.name) {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b measured) int { return slices.Index(services, a.service) - slices.Index(services, b.service) })
	return all, nil
}

var services = []string{onAWS, onGCP, onVault, inSQLite, inFile, inMemory, noStore}

// python measures one of Python's stores.
func (r runner) python(ctx context.Context, s sdk, n int) (measured, error) {
	m := measured{s.service, s.name, false, n, map[operation]usage{}}
	path, err := s.filled(ctx, r.folder, n)
	if err != nil {
		return m, err
	}
	for op := range s.ops {
		if m.uses[op], err = s.measure(ctx, path, op, n, r.round); err != nil {
			return m, err
		}
	}
	return m, nil
}

// grown is how a way's figures change with the number of tokens; a figure that it lacks is missing.
type grown struct {
	way
	calls map[operation]map[int]int
	cpu   map[operation]map[int]time.Duration
	bills map[int]dollars
}

// grow stores more and more tokens. After each size it calls sized with what is known so far and the sizes.
func (r runner) grow(ctx context.Context, cpu bool, sized func([]grown, []int) error) error {
	var all []grown
	for _, w := range r.chosen() {
		if w.service == noStore || w.alike {
			continue
		}
		g := grown{w, map[operation]map[int]int{}, map[operation]map[int]time.Duration{}, map[int]dollars{}}
		for _, op := range operations {
			g.calls[op], g.cpu[op] = map[int]int{}, map[int]time.Duration{}
		}
		all = append(all, g)
	}
	for i, n := range r.sizes {
		for _, g := range all {
			if g.most > 0 && n > g.most || g.shown > 0 && n > g.shown {
				continue
			}
			begun := time.Now()
			err := g.try(ctx, world{folder: r.folder}, n, func(k *keeper) error { return r.growTo(ctx, g, k, n, cpu) })
			if err != nil {
				return err
			}
			if took := time.Since(begun); took > 5*time.Second {
				r.say("%v: %d tokens in %.0f s", g.way, n, took.Seconds())
			}
		}
		if err := sized(all, r.sizes[:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (r runner) growTo(ctx context.Context, g grown, k *keeper, n int, cpu bool) error {
	for _, op := range []operation{findUser, findRefresh, list} {
		if k.do[op] == nil {
			continue
		}
		t := newToken(n / 2)
		if g.ours || op == findUser { // The others remember nothing of anything else.
			if _, err := k.before(ctx, op, t); err != nil {
				return err
			}
		}
		var err error
		if g.calls[op][n], err = count(ctx, k, op, t); err != nil {
			return err
		}
	}
	if k.bill != nil && k.do[findUser] != nil {
		var err error
		if g.bills[n], err = month(ctx, k, n); err != nil {
			return err
		}
	}
	for _, op := range []operation{findUser, findRefresh, save} {
		if !cpu || k.do[op] == nil || k.source || op == findRefresh && g.calls[op][n] > 10 {
			continue
		}
		m, err := k.meter(ctx, op, n, r.round)
		if err != nil {
			return err
		}
		used, err := rounds(max(1, r.rounds/3), m)
		if err != nil {
			return err
		}
		g.cpu[op][n] = used[0].cpu
	}
	return nil
}

// lines returns one line for each way that has the figure.
func lines(all []grown, sizes []int, keep func(way) bool, label func(way) string, value func(grown, int) (float64, bool)) []plot.Line {
	var found []plot.Line
	for _, g := range all {
		if !keep(g.way) {
			continue
		}
		l := plot.Line{Name: label(g.way), Strong: g.ours}
		for _, n := range sizes {
			if v, ok := value(g, n); ok {
				l.Points = append(l.Points, plot.Point{X: float64(n), Y: v})
			}
		}
		if len(l.Points) > 0 {
			found = append(found, l)
		}
	}
	return found
}
