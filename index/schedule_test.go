package index_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/index"
)

// process is what one process does with an index of its own.
type process struct {
	name string
	run  func(ctx context.Context, x index.Index) error
}

// play runs the processes on one service, one call at a time, in the order that choose
// gives, and returns their errors by name. choose picks one of n processes that have a
// call to make; dies says that it dies before that call.
func play(secrets driver.Secrets, c *clock, processes []process, choose func(n int) (pick int, dies bool)) map[string]error {
	type end struct {
		name string
		err  error
	}
	gate, ended := drivertest.NewGate(), make(chan end)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, p := range processes {
		x := document(1).make(gate.Wrap(p.name, secrets), c.config())
		go func() { ended <- end{p.name, p.run(ctx, x)} }()
	}
	errs, dead, waiting := map[string]error{}, map[string]bool{}, map[string]*drivertest.Arrival{}
	for {
		for len(waiting)+len(errs) < len(processes) {
			select {
			case a := <-gate.Arrivals():
				if dead[a.Process] {
					a.Deny(errDied)
					continue
				}
				waiting[a.Process] = a
			case e := <-ended:
				errs[e.name] = e.err
			}
		}
		if len(waiting) == 0 {
			return errs
		}
		names := slices.Sorted(maps.Keys(waiting))
		pick, dies := choose(len(names))
		a := waiting[names[pick]]
		delete(waiting, a.Process)
		if dies {
			dead[a.Process] = true
			a.Deny(errDied)
		} else {
			a.Allow()
		}
	}
}

var errDied = fmt.Errorf("%w: the process is dead", driver.ErrDenied)

// explore calls run with every possible sequence of choices, depth first, up to limit of
// them, and returns how many there were.
func explore(limit int, run func(choose func(n int) int)) int {
	var path, width []int
	for runs := 1; ; runs++ {
		depth := 0
		run(func(n int) int {
			if depth == len(path) {
				path, width = append(path, 0), append(width, n)
			}
			depth++
			return path[depth-1]
		})
		last := len(path) - 1
		for last >= 0 && path[last]+1 == width[last] {
			last--
		}
		if last < 0 || runs == limit {
			return runs
		}
		path, width = path[:last+1], width[:last+1]
		path[last]++
	}
}

// claimer claims a key and looks it up again.
func claimer(name string, n int, others *[]index.Hint) process {
	return process{name, func(ctx context.Context, x index.Index) error {
		v := x.View()
		found, err := v.Claim(ctx, index.Claim{Hash: hash(n), ID: name, Generation: 1})
		if err != nil {
			return err
		}
		*others = found[0]
		v.Forget()
		if found, err = v.Lookup(ctx, hash(n)); err == nil && !slices.Contains(ids(found[0]), name) {
			err = errors.New("a key that was just claimed is not found")
		}
		return err
	}}
}

func resharder(fanout int) process {
	return process{fmt.Sprint("reshard to ", fanout), func(ctx context.Context, x index.Index) error {
		return reshard(ctx, x, fanout)
	}}
}

// reader looks up a key that has always been claimed.
func reader(keys int) process {
	return process{"reader", func(ctx context.Context, x index.Index) error {
		for range 2 {
			for n := range keys {
				found, err := x.View().Lookup(ctx, hash(n))
				if err != nil {
					return err
				}
				if !slices.Contains(ids(found[0]), userHash(n)) {
					return errors.New("a key that was always claimed is not found")
				}
			}
		}
		return nil
	}}
}

// checkPlayed checks the errors, that of two claims the later saw the earlier, and that
// every key is found in the end.
func checkPlayed(t *testing.T, secrets driver.Secrets, c *clock, errs map[string]error, claims map[string][]index.Hint, before, key int) {
	t.Helper()
	died, saw := false, 0
	for name, err := range errs {
		switch {
		case errors.Is(err, errDied):
			died = true
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
	}
	checkFilled(t, secrets, c, before, "in the end")
	found := mustLookup(t, document(1).make(secrets, c.config()).View(), hash(key))[0]
	for name, others := range claims {
		if errs[name] != nil {
			continue
		}
		saw += len(others)
		if !slices.Contains(ids(found), name) {
			t.Fatalf("the claim of %s is lost", name)
		}
	}
	if want := len(claims) * (len(claims) - 1) / 2; !died && saw != want {
		t.Fatalf("the claims saw %d others, want %d: %v", saw, want, claims)
	}
}

var scheduled = []struct {
	name     string
	from, to int
	claimers int
	reader   bool
}{
	{"claim", 1, 2, 1, false},
	{"claim", 2, 1, 1, false},
	{"claim", 2, 3, 1, false},
	{"look-up", 1, 2, 0, true},
	{"look-up", 2, 1, 0, true},
}

// long returns many if the environment asks for long runs, else few.
func long(few, many int) int {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return many
	}
	return few
}

// Every order of the calls of a change of the fan-out and of one other process,
// or as many as there is time for.
func TestSchedules(t *testing.T) {
	for _, s := range scheduled {
		t.Run(fmt.Sprintf("%s while %d to %d", s.name, s.from, s.to), func(t *testing.T) {
			const keys = 2
			c := newClock()
			base := filled(t, c, s.from, keys)
			runs := explore(long(1000, 1_000_000), func(choose func(int) int) {
				secrets, claims := base.Clone(), map[string][]index.Hint{}
				processes := []process{resharder(s.to)}
				var others []index.Hint
				if s.claimers > 0 {
					processes = append(processes, claimer("w", 50, &others))
				}
				if s.reader {
					processes = append(processes, reader(keys))
				}
				errs := play(secrets, c, processes, func(n int) (int, bool) { return choose(n), false })
				if s.claimers > 0 {
					claims["w"] = others
				}
				checkPlayed(t, secrets, c, errs, claims, keys, 50)
			})
			t.Logf("%d schedules", runs)
		})
	}
}

// Random orders of two claims of one key, a reader and two changes of the
// fan-out, of which some die.
func TestRandomSchedules(t *testing.T) {
	runs := long(300, 20_000)
	for _, deaths := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaths %v", deaths), func(t *testing.T) {
			for seed := range runs {
				random := rand.New(rand.NewPCG(uint64(seed), 7))
				const keys = 2
				c := newClock()
				fanouts := []int{1, 2, 3, 5}
				secrets := filled(t, c, fanouts[random.IntN(4)], keys)
				a, b := make([]index.Hint, 0), make([]index.Hint, 0)
				processes := []process{
					resharder(fanouts[random.IntN(4)]), resharder(6), claimer("a", 50, &a), claimer("b", 50, &b), reader(keys),
				}
				errs := play(secrets, c, processes, func(n int) (int, bool) {
					return random.IntN(n), deaths && random.IntN(40) == 0
				})
				claims := map[string][]index.Hint{"a": a, "b": b}
				checkPlayed(t, secrets, c, errs, claims, keys, 50)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// The service shows older states for a while: nothing is lost, and a process
// never reads an older state than it has read before.
func TestStaleSchedules(t *testing.T) {
	runs := long(300, 20_000)
	for seed := range runs {
		random := rand.New(rand.NewPCG(uint64(seed), 11))
		c := newClock()
		fanouts := []int{1, 2, 3, 5}
		fresh := filled(t, c, fanouts[random.IntN(4)], 2)
		secrets := drivertest.Stale(fresh, drivertest.Staleness{Reads: 1 + random.IntN(3), Choose: func(_ string, states int) int {
			return random.IntN(states)
		}})
		a, b := make([]index.Hint, 0), make([]index.Hint, 0)
		processes := []process{resharder(fanouts[random.IntN(4)]), claimer("a", 50, &a), claimer("b", 50, &b), reader(2)}
		errs := play(secrets, c, processes, func(n int) (int, bool) { return random.IntN(n), false })
		checkPlayed(t, fresh, c, errs, map[string][]index.Hint{"a": a, "b": b}, 2, 50)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
