package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// crowdedIndex returns a service with an index of the given fan-out of which a document is
// crowded, the number of tokens in it, and one whose claim makes it grow.
func crowdedIndex(t *testing.T, c *clock, fanout int) (secrets *memory.Secrets, n int) {
	t.Helper()
	secrets = memory.New(memory.WithLimits(driver.Limits{MaxSize: 1500}))
	x := document(fanout).make(secrets, c.config())
	for n = 0; ; n++ {
		before := secrets.Clone()
		mustClaim(t, x.View(), tokenClaims(n)...)
		if n > 5 && fanoutOf(t, secrets) != fanoutOf(t, before) {
			return before, n
		}
	}
}

// A process that dies at any call of a claim that makes the index grow leaves an index in
// which every key is found, and the next writer finishes the change and does not repeat it.
func TestGrowthCrash(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		for kind, outcome := range map[string]drivertest.Outcome{"before": drivertest.Unreached, "after": drivertest.LoseReply} {
			t.Run(fmt.Sprintf("from %d, %s a call", fanout, kind), func(t *testing.T) {
				c := newClock()
				base, n := crowdedIndex(t, c, fanout)
				for call := 1; ; call++ {
					secrets := base.Clone()
					dying := drivertest.Inject(secrets, drivertest.FailFrom(call, outcome))
					_, err := document(1).make(dying, c.config()).View().Claim(ctx, tokenClaims(n)...)
					when := fmt.Sprintf("died at call %d", call)
					checkTokens(t, secrets, c, n, when)
					mustClaim(t, document(1).make(secrets, c.config()).View(), tokenClaims(n)...)
					mustClaim(t, document(1).make(secrets, c.config()).View(), tokenClaims(n+1)...)
					checkTokens(t, secrets, c, n+2, when+", two claims later")
					if got := fanoutOf(t, secrets); got != fmt.Sprint(2*fanout) {
						t.Fatalf("%s: fan-out %s, want %d", when, got, 2*fanout)
					}
					if err == nil {
						return
					}
				}
			})
		}
	}
}

// Of any number of writers that find a document crowded at the same time, one makes the
// index grow, once, while readers find every key.
func TestGrowthSchedules(t *testing.T) {
	for _, fanout := range []int{1, 2} {
		for _, deaths := range []bool{false, true} {
			t.Run(fmt.Sprintf("from %d, deaths %v", fanout, deaths), func(t *testing.T) {
				c := newClock()
				base, n := crowdedIndex(t, c, fanout)
				for seed := range long(60, 10_000) {
					random := rand.New(rand.NewPCG(uint64(seed), 21))
					secrets := base.Clone()
					processes := []process{tokenReader(n)}
					for w := range 3 {
						processes = append(processes, process{fmt.Sprint("w", w), func(ctx context.Context, x index.Index) error {
							_, err := x.View().Claim(ctx, tokenClaims(n+w)...)
							return err
						}})
					}
					errs := play(secrets, c, processes, func(k int) (int, bool) { return random.IntN(k), deaths && random.IntN(60) == 0 })
					checkGrown(t, secrets, c, errs, fanout, n)
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
			})
		}
	}
}

// A writer that was about to double the fan-out while others made it larger than that leaves
// it as it is.
func TestGrowthOfASlowWriter(t *testing.T) {
	c := newClock()
	secrets, n := crowdedIndex(t, c, 2)
	reads := 0
	slow := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.Get && call.Name == prefix+"root" {
			if reads++; reads == 2 { // The first was to learn the layout.
				if err := reshard(ctx, document(1).make(secrets, c.config()), 8); err != nil {
					t.Error(err)
				}
			}
		}
		return do(ctx)
	})
	mustClaim(t, document(1).make(slow, c.config()).View(), tokenClaims(n)...)
	if got := fanoutOf(t, secrets); got != "8" || reads < 2 {
		t.Errorf("fan-out %s after %d reads of the root, want 8", got, reads)
	}
	checkTokens(t, secrets, c, n+1, "in the end")
}

// checkGrown checks the errors, that the claims of those that succeeded are found, and
// that the index has grown once.
func checkGrown(t *testing.T, secrets driver.Secrets, c *clock, errs map[string]error, fanout, n int) {
	t.Helper()
	checkTokens(t, secrets, c, n, "in the end")
	v, died := document(1).make(secrets, c.config()).View(), false
	for name, err := range errs {
		switch {
		case errors.Is(err, errDied):
			died = true
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case name != "reader":
			var w int
			_, _ = fmt.Sscanf(name, "w%d", &w)
			for _, hints := range mustLookup(t, v, userHash(n+w), hash(n+w)) {
				wantIDs(t, name, hints, userHash(n+w))
			}
		}
	}
	if got := fanoutOf(t, secrets); got != fmt.Sprint(2*fanout) && !died {
		t.Errorf("fan-out %s, want %d", got, 2*fanout)
	}
}

// tokenReader looks up tokens that have always been claimed.
func tokenReader(n int) process {
	return process{"reader", func(ctx context.Context, x index.Index) error {
		for i := range n {
			found, err := x.View().Lookup(ctx, userHash(i), hash(i))
			if err != nil {
				return err
			}
			if len(found[0]) != 1 || len(found[1]) != 1 {
				return fmt.Errorf("token %d, which was always claimed, has %v", i, found)
			}
		}
		return nil
	}}
}

// Every order of the calls of a claim that makes the index grow, and of another process, or
// as many as there is time for.
func TestGrowthExplored(t *testing.T) {
	for _, other := range []string{"a claim", "a look-up"} {
		for _, fanout := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s while %d grow", other, fanout), func(t *testing.T) {
				c := newClock()
				base, n := crowdedIndex(t, c, fanout)
				runs := explore(long(250, 50_000), func(choose func(int) int) {
					secrets := base.Clone()
					claim := func(w int) process {
						return process{fmt.Sprint("w", w), func(ctx context.Context, x index.Index) error {
							_, err := x.View().Claim(ctx, tokenClaims(n+w)...)
							return err
						}}
					}
					processes := []process{claim(0), tokenReader(2)}
					if other == "a claim" {
						processes[1] = claim(1)
					}
					errs := play(secrets, c, processes, func(k int) (int, bool) { return choose(k), false })
					checkGrown(t, secrets, c, errs, fanout, n)
				})
				t.Logf("%d schedules", runs)
			})
		}
	}
}

// The service shows older states for a while: the index still grows once, and nothing is
// lost.
func TestGrowthStaleSchedules(t *testing.T) {
	c := newClock()
	base, n := crowdedIndex(t, c, 2)
	for seed := range long(60, 10_000) {
		random := rand.New(rand.NewPCG(uint64(seed), 23))
		fresh := base.Clone()
		secrets := drivertest.Stale(fresh, drivertest.Staleness{Reads: 1 + random.IntN(3), Choose: func(_ string, states int) int { return random.IntN(states) }})
		processes := []process{tokenReader(n)}
		for w := range 2 {
			processes = append(processes, process{fmt.Sprint("w", w), func(ctx context.Context, x index.Index) error {
				_, err := x.View().Claim(ctx, tokenClaims(n+w)...)
				return err
			}})
		}
		errs := play(secrets, c, processes, func(k int) (int, bool) { return random.IntN(k), false })
		checkGrown(t, fresh, c, errs, 2, n)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Eight processes that claim at the same time, as goroutines, grow an index by its size
// and its writes, and each finds what it claimed.
func TestGrowthUnderLoad(t *testing.T) {
	const writers, each = 8, 60
	secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: 4096, WritesPerDay: 60}))
	var workers sync.WaitGroup
	for w := range writers {
		config := newClock().config()
		config.Sleep, config.Jitter, config.Parallelism = nil, rand.Float64, 4
		x := document(1).make(secrets, config)
		workers.Go(func() {
			for i := w * each; i < (w+1)*each; i++ {
				if _, err := retried(func() ([][]index.Hint, error) { return x.View().Claim(ctx, tokenClaims(i)...) }); err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				found, err := x.View().Lookup(ctx, userHash(i), hash(i))
				if err != nil || len(found[0]) != 1 || len(found[1]) != 1 {
					t.Errorf("a token that was just claimed has %v, %v", found, err)
					return
				}
			}
		})
	}
	workers.Wait()
	checkTokens(t, secrets, newClock(), writers*each, "in the end")
	if got := fanoutOf(t, secrets); len(got) < 2 || len(got) > 2 && got > "128" {
		t.Errorf("fan-out %s", got)
	}
}
