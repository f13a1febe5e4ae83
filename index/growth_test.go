package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

func expect(t *testing.T, x index.Index, tokens, hints int) {
	t.Helper()
	if err := x.(index.Sizer).Expect(ctx, tokens, hints); err != nil {
		t.Fatalf("Expect(%d, %d): %v", tokens, hints, err)
	}
}

func fanoutOf(t *testing.T, secrets driver.Secrets) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(data(t, secrets, "root")), `"fanout":"`)
	fanout, _, _ := strings.Cut(rest, `"`)
	return fanout
}

// tokenClaims are the claims of token n: its user and its refresh token.
func tokenClaims(n int) []index.Claim {
	return []index.Claim{{Hash: userHash(n), ID: userHash(n), Generation: 1}, {Hash: hash(n), ID: userHash(n), Generation: 1}}
}

// checkTokens checks that a process that knows nothing finds tokens 0 to n-1.
func checkTokens(t *testing.T, secrets driver.Secrets, c *clock, n int, when string) {
	t.Helper()
	v := document(1).make(secrets, c.config()).View()
	for i := range n {
		for _, hints := range mustLookup(t, v, userHash(i), hash(i)) {
			wantIDs(t, fmt.Sprint(when, ", token ", i), hints, userHash(i))
		}
	}
}

// What was expected fits without growth, in an index that was empty or was not.
func TestExpect(t *testing.T) {
	const size = 8192
	for _, before := range []int{0, 100} {
		for _, more := range []int{10, 100, 1000} {
			t.Run(fmt.Sprintf("%d more than %d", more, before), func(t *testing.T) {
				c := newClock()
				secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: size}))
				x := document(1).make(secrets, c.config())
				if before > 0 {
					expect(t, x, before, 2*before)
					thousand(t, x, c, before, 0)
				}
				expect(t, x, more, 2*more)
				var was string
				if before+more > 50 {
					was = fanoutOf(t, secrets)
				}
				thousand(t, x, c, before+more, 0)
				stats, err := x.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range stats {
					if s.Size > size/4*3 {
						t.Errorf("%s has %d of %d bytes", s.Name, s.Size, size)
					}
				}
				if now := fanoutOf(t, secrets); was != "" && now != was {
					t.Errorf("fan-out %s, then %s", was, now)
				}
			})
		}
	}
}

// Expect plans for the writes of a day too, never makes the fan-out smaller, and does
// nothing on a service without limits.
func TestExpectWrites(t *testing.T) {
	c := newClock()
	secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 90})))
	x := document(1).make(secrets, c.config())
	expect(t, x, 10, 20)
	if counts.Writes() != 0 {
		t.Errorf("%v for ten tokens, want no write", counts)
	}
	expect(t, x, 5000, 10_000)
	if got := fanoutOf(t, secrets); got != "32" { // 1,000 writes a day, 45 for each document.
		t.Errorf("fan-out %s", got)
	}
	expect(t, x, 1, 2)
	expect(t, x, 0, 0)
	if got := fanoutOf(t, secrets); got != "32" {
		t.Errorf("fan-out %s", got)
	}
	expect(t, x, 1e9, 2e9)
	if got := fanoutOf(t, secrets); got != fmt.Sprint(index.MaxFanout) {
		t.Errorf("fan-out %s", got)
	}
	secrets, counts = drivertest.Count(memory.New())
	expect(t, document(1).make(secrets, c.config()), 1e6, 1e6)
	if counts.Total() != 0 {
		t.Errorf("%v on a service without limits", counts)
	}
}

// An index whose documents fill up grows, keeps every hint, and has no document that is
// nearly full.
func TestGrowthBySize(t *testing.T) {
	const size, n = 2048, 300
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{MaxSize: size}))
	x := document(1).make(secrets, c.config())
	for i := range n {
		mustClaim(t, x.View(), tokenClaims(i)...)
	}
	checkTokens(t, secrets, c, n, "grown")
	stats, err := x.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stats {
		if s.Size > size/4*3+200 {
			t.Errorf("%s has %d bytes", s.Name, s.Size)
		}
	}
	if len(stats) != 33 && len(stats) != 65 {
		t.Errorf("%d documents for %d tokens", len(stats), n)
	}
}

// Claims of one call that do not fit into the index, or into a new one, make it as large as
// they need, in one change of the fan-out.
func TestGrowthOfABatch(t *testing.T) {
	const n = 300
	for _, before := range []int{0, 1} {
		c := newClock()
		secrets, counts := drivertest.Count(memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048})))
		x := document(1).make(secrets, c.config())
		for i := range before {
			mustClaim(t, x.View(), tokenClaims(i)...)
		}
		counts.Reset()
		var claims []index.Claim
		for i := before; i < n; i++ {
			claims = append(claims, tokenClaims(i)...)
		}
		mustClaim(t, x.View(), claims...)
		checkTokens(t, secrets, c, n, "grown")
		// It announces, creates the documents that have hints, swaps, and writes each once.
		if most := 2 + 2 + 32; counts.Writes() > most {
			t.Errorf("%v, want at most %d writes", counts, most)
		}
	}
}

// daily is a service that counts the writes of each secret, and refuses those beyond its
// limit in 24 hours.
func daily(secrets driver.Secrets, c *clock, limit int) driver.Secrets {
	var mu sync.Mutex
	writes := map[string][]time.Time{}
	return drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method != drivertest.Put {
			return do(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		w := writes[call.Name]
		for len(w) > 0 && c.Now().Sub(w[0]) >= 24*time.Hour {
			w = w[1:]
		}
		if writes[call.Name] = w; len(w) >= limit {
			return driver.ErrQuota
		}
		err := do(ctx)
		if err == nil {
			writes[call.Name] = append(w, c.Now())
		}
		return err
	})
}

// An index that is written more often than one document allows in a day grows, and no
// claim is refused.
func TestGrowthByWrites(t *testing.T) {
	const limit, days, perDay = 80, 3, 800
	c := newClock()
	stored := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit}))
	secrets := daily(stored, c, limit)
	x := document(1).make(secrets, c.config())
	largest := ""
	for i := range days * perDay {
		mustClaim(t, x.View(), tokenClaims(i)...)
		if i > 0 { // Its refresh token is rotated.
			mustRelease(t, x.View(), tokenClaims(i - 1)[1])
			mustClaim(t, x.View(), index.Claim{Hash: hash(10_000 + i), ID: userHash(i - 1), Generation: 2})
		}
		c.Advance(24 * time.Hour / perDay)
		if i == perDay {
			largest = fanoutOf(t, stored)
		}
	}
	v := document(1).make(secrets, c.config()).View()
	for i := range days*perDay - 1 {
		for _, hints := range mustLookup(t, v, userHash(i), hash(10_001+i)) {
			wantIDs(t, fmt.Sprint("token ", i), hints, userHash(i))
		}
	}
	// 3,200 writes a day, at most 60 for each document.
	if got := fanoutOf(t, stored); got != "64" && got != "128" {
		t.Errorf("fan-out %s after a day, then %s", largest, got)
	}
}

// A release makes the index grow too, and one that leads to nothing does not.
func TestGrowthByReleases(t *testing.T) {
	const limit = 20
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: limit}))
	x := document(1).make(secrets, c.config())
	var claims []index.Claim
	for i := range 100 {
		claims = append(claims, tokenClaims(i)...)
	}
	mustClaim(t, x.View(), claims...)
	for range limit {
		mustRelease(t, x.View(), tokenClaims(1000)...)
	}
	if got := fanoutOf(t, secrets); got != "1" {
		t.Errorf("fan-out %s after releases of nothing", got)
	}
	for i := range 50 {
		mustRelease(t, x.View(), tokenClaims(i)...)
	}
	if got := fanoutOf(t, secrets); got == "1" {
		t.Errorf("fan-out %s after 50 releases", got)
	}
	for i := range 100 {
		for _, hints := range mustLookup(t, x.View(), userHash(i), hash(i)) {
			if (len(hints) > 0) != (i >= 50) {
				t.Errorf("token %d has %v", i, hints)
			}
		}
	}
}

// At most so many documents there are. What then has no room is refused.
func TestGrowthEnds(t *testing.T) {
	c := newClock()
	secrets := memory.New(memory.WithLimits(driver.Limits{WritesPerDay: 20}))
	x := document(index.MaxFanout).make(secrets, c.config())
	if err := usedUp(x, c); !errors.Is(err, driver.ErrQuota) {
		t.Errorf("Claim: %v, want ErrQuota", err)
	}
}

// noChange refuses to announce a change of the fan-out.
type noChange struct{ *memory.Secrets }

func (s noChange) Put(ctx context.Context, secret driver.Secret) (string, error) {
	if strings.Contains(string(secret.Data), `"next"`) {
		return "", driver.ErrDenied
	}
	return s.Secrets.Put(ctx, secret)
}

// If the index cannot grow, a claim that still fits goes on; one that does not says why.
func TestGrowthFails(t *testing.T) {
	c := newClock()
	stored := memory.New(memory.WithLimits(driver.Limits{MaxSize: 2048}))
	x := document(1).make(noChange{stored}, c.config())
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		_, err = x.View().Claim(ctx, tokenClaims(n)...)
	}
	if !errors.Is(err, driver.ErrDenied) || errors.Is(err, index.ErrFull) {
		t.Errorf("Claim: %v, want ErrDenied", err)
	}
	stats, statsErr := x.Stats(ctx)
	if statsErr != nil || len(stats) != 1 || stats[0].Size < 1700 {
		t.Errorf("%+v, %v", stats, statsErr)
	}
	checkTokens(t, stored, c, n-1, "full")
	mustClaim(t, document(1).make(stored, c.config()).View(), tokenClaims(n-1)...)
	checkTokens(t, stored, c, n, "grown")
}

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
				for seed := range long(200, 10_000) {
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
				runs := explore(long(1000, 200_000), func(choose func(int) int) {
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
	for seed := range long(200, 10_000) {
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
