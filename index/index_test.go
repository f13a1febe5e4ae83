package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

const prefix = "tokenstore/index/"

var ctx = context.Background()

// clock is a clock that tests set, and whose sleep takes no time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0).UTC()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) config() index.Config {
	return index.Config{
		Prefix: prefix,
		Now:    c.Now,
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Jitter: func() float64 { return 0.5 },
	}
}

// form is a form of index under test.
type form struct {
	name string
	make func(driver.Secrets, index.Config) index.Index
}

func document(fanout int) form {
	return form{fmt.Sprintf("document-%d", fanout), func(s driver.Secrets, c index.Config) index.Index {
		return index.NewDocument(s, c, index.WithFanout(fanout))
	}}
}

var forms = []form{{"entries", index.NewEntries}, document(1), document(16)}

// inEachForm runs a test with each form of index.
func inEachForm(t *testing.T, test func(t *testing.T, f form)) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}

// hash returns the hash of an obviously fake refresh token.
func hash(n int) string {
	return index.Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: fmt.Sprintf("fake-refresh-%d", n)}, nil)
}

func userHash(n int) string {
	return index.Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: fmt.Sprintf("fake-user-%d", n)}, nil)
}

// ids returns the IDs of hints.
func ids(hints []index.Hint) []string {
	var ids []string
	for _, h := range hints {
		ids = append(ids, h.ID)
	}
	return ids
}

func mustClaim(t *testing.T, v index.View, claims ...index.Claim) [][]index.Hint {
	t.Helper()
	others, err := v.Claim(ctx, claims...)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return others
}

func mustLookup(t *testing.T, v index.View, hashes ...string) [][]index.Hint {
	t.Helper()
	hints, err := v.Lookup(ctx, hashes...)
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	return hints
}

func mustRelease(t *testing.T, v index.View, claims ...index.Claim) {
	t.Helper()
	if err := v.Release(ctx, claims...); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func wantIDs(t *testing.T, what string, hints []index.Hint, want ...string) {
	t.Helper()
	if got := ids(hints); !slices.Equal(got, want) {
		t.Errorf("%s: IDs %q, want %q", what, got, want)
	}
}

func TestClaimLookupRelease(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		c := newClock()
		x := f.make(memory.New(), c.config())
		if hints := mustLookup(t, x.View(), hash(1), hash(2)); len(hints) != 2 || hints[0] != nil || hints[1] != nil {
			t.Errorf("look-up in no index gives %v, want two nil slices", hints)
		}
		others := mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 7}, index.Claim{Hash: hash(2), ID: "b", Generation: 7})
		wantIDs(t, "others of the first claim", others[0])
		c.Advance(time.Minute)
		others = mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 3})
		wantIDs(t, "others of the second claim", others[0], "b")
		c.Advance(time.Minute)
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 9})

		hints := mustLookup(t, x.View(), hash(3), hash(1))
		wantIDs(t, "unknown key", hints[0])
		want := []index.Hint{
			{ID: "b", Generation: 9, Claimed: c.Now()},
			{ID: "a", Generation: 3, Claimed: c.Now().Add(-time.Minute)},
		}
		if !slices.Equal(hints[1], want) {
			t.Errorf("hints %v, want %v", hints[1], want)
		}

		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 8})
		wantIDs(t, "after a release of a lower generation", mustLookup(t, x.View(), hash(1))[0], "b", "a")
		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 9}, index.Claim{Hash: hash(9), ID: "b", Generation: 9})
		wantIDs(t, "after the release", mustLookup(t, x.View(), hash(1))[0], "a")
		wantIDs(t, "the other key", mustLookup(t, x.View(), hash(2))[0], "b")
	})
}

// A lower generation never replaces a higher one, and a claim of a released key starts
// over.
func TestGenerations(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		x := f.make(memory.New(), newClock().config())
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 5})
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 4})
		if g := mustLookup(t, x.View(), hash(1))[0][0].Generation; g != 5 {
			t.Errorf("generation %d after a claim with a lower one, want 5", g)
		}
		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 6})
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		if g := mustLookup(t, x.View(), hash(1))[0][0].Generation; g != 1 {
			t.Errorf("generation %d after release and claim, want 1", g)
		}
	})
}

// Each release of a call goes by its own generation.
func TestReleasesInOneCall(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		x := f.make(memory.New(), newClock().config())
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 5}, index.Claim{Hash: hash(1), ID: "b", Generation: 5}, index.Claim{Hash: hash(1), ID: "c", Generation: 5})
		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 4}, index.Claim{Hash: hash(1), ID: "b", Generation: 5}, index.Claim{Hash: hash(1), ID: "d", Generation: 5})
		wantIDs(t, "hints", mustLookup(t, x.View(), hash(1))[0], "a", "c")
	})
}

// Users pay for each call to the service.
func TestCalls(t *testing.T) {
	claim := func(n int) index.Claim { return index.Claim{Hash: hash(n), ID: "a", Generation: 1} }
	steps := []struct {
		name string
		do   func(v index.View) error
		// Calls of entries, of a document with fan-out 1, and with fan-out 16.
		reads, writes [3]int
	}{
		{"claim of a new key", func(v index.View) error {
			_, err := v.Claim(ctx, claim(1))
			return err
		}, [3]int{0, 1, 1}, [3]int{1, 1, 1}},
		{"look-up and claim", func(v index.View) error {
			_, err := v.Lookup(ctx, hash(1))
			if err == nil {
				_, err = v.Claim(ctx, claim(1))
			}
			return err
		}, [3]int{1, 1, 1}, [3]int{1, 1, 1}},
		{"claim of a taken key", func(v index.View) error {
			_, err := v.Claim(ctx, index.Claim{Hash: hash(1), ID: "b", Generation: 1})
			return err
		}, [3]int{1, 1, 1}, [3]int{2, 1, 1}},
		{"claim and release", func(v index.View) error {
			_, err := v.Claim(ctx, claim(1))
			if err == nil {
				err = v.Release(ctx, claim(1))
			}
			return err
		}, [3]int{1, 1, 1}, [3]int{3, 2, 2}},
		{"release of nothing", func(v index.View) error {
			return v.Release(ctx, claim(1))
		}, [3]int{1, 1, 1}, [3]int{0, 0, 0}},
		{"look-up twice", func(v index.View) error {
			_, err := v.Lookup(ctx, hash(1))
			if err == nil {
				_, err = v.Lookup(ctx, hash(1), hash(1))
			}
			return err
		}, [3]int{1, 1, 1}, [3]int{0, 0, 0}},
		{"look-up again after Forget", func(v index.View) error {
			_, err := v.Lookup(ctx, hash(1))
			v.Forget()
			if err == nil {
				_, err = v.Lookup(ctx, hash(1))
			}
			return err
		}, [3]int{2, 2, 2}, [3]int{0, 0, 0}},
	}
	for i, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			secrets, counts := drivertest.Count(memory.New())
			x := f.make(secrets, newClock().config())
			if f.name == "document-16" { // The root exists and is known.
				mustClaim(t, x.View(), claim(1))
				mustRelease(t, x.View(), claim(1))
			}
			for _, s := range steps {
				counts.Reset()
				if err := s.do(x.View()); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
				if counts.Reads() != s.reads[i] || counts.Writes() != s.writes[i] {
					t.Errorf("%s: %v, want %d reads and %d writes", s.name, counts, s.reads[i], s.writes[i])
				}
			}
		})
	}
}

// Keys of one document share a write, and documents a batch read.
func TestBatch(t *testing.T) {
	var claims []index.Claim
	var hashes []string
	for n := range 400 {
		claims = append(claims, index.Claim{Hash: hash(n), ID: "a", Generation: 1})
		hashes = append(hashes, hash(n))
	}
	for _, test := range []struct {
		form          form
		reads, writes int
	}{{document(1), 1, 1}, {document(16), 1, 16}} {
		t.Run(test.form.name, func(t *testing.T) {
			secrets, counts := drivertest.Count(memory.New().Batched())
			x := test.form.make(secrets, newClock().config())
			mustClaim(t, x.View(), claims...)
			counts.Reset()
			mustClaim(t, x.View(), claims...)
			if counts.Reads() != test.reads || counts.Writes() != test.writes {
				t.Errorf("claims: %v, want %d reads and %d writes", counts, test.reads, test.writes)
			}
			counts.Reset()
			for i, hints := range mustLookup(t, x.View(), hashes...) {
				wantIDs(t, hashes[i], hints, "a")
			}
			if counts.Total() != 1 {
				t.Errorf("look-ups: %v, want one read", counts)
			}
		})
	}
}

// Of two claims of one key the later one sees the earlier: then among all the
// claims of a key by different IDs exactly one has each number of others.
func TestClaimsRace(t *testing.T) {
	const processes, each, keys = 4, 6, 3
	inEachForm(t, func(t *testing.T, f form) {
		secrets := memory.New()
		seen := make([][]int, keys)
		var mu sync.Mutex
		var workers sync.WaitGroup
		for p := range processes {
			c := newClock().config()
			c.Sleep, c.Jitter = nil, nil
			x := f.make(secrets, c)
			for w := range each {
				workers.Go(func() {
					claims := make([]index.Claim, keys)
					for k := range claims {
						claims[k] = index.Claim{Hash: hash(k), ID: fmt.Sprintf("id_%d_%d", p, w), Generation: 1}
					}
					var others [][]index.Hint
					err := driver.ErrConflict
					for errors.Is(err, driver.ErrConflict) {
						others, err = x.View().Claim(ctx, claims...)
					}
					if err != nil {
						t.Errorf("Claim: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					for k := range others {
						seen[k] = append(seen[k], len(others[k]))
					}
				})
			}
		}
		workers.Wait()
		for k := range seen {
			slices.Sort(seen[k])
			for i, n := range seen[k] {
				if n != i {
					t.Fatalf("key %d: the claims saw %v other IDs, want 0 to %d, each once", k, seen[k], processes*each-1)
				}
			}
		}
	})
}

// An ID never counts among its own others, wherever it comes in the order.
func TestOthersOfClaimsInOneCall(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		x := f.make(memory.New(), newClock().config())
		others := mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1}, index.Claim{Hash: hash(1), ID: "b", Generation: 1}, index.Claim{Hash: hash(2), ID: "c", Generation: 1})
		wantIDs(t, "a", others[0], "b")
		wantIDs(t, "b", others[1], "a")
		wantIDs(t, "c", others[2])
	})
}

// Random claims and releases, through old and new views of several processes, have the
// same results as a plain map.
func TestAgainstMap(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		random := rand.New(rand.NewPCG(1, 2))
		c := newClock()
		secrets := memory.New()
		var views []index.View
		for range 3 {
			views = append(views, f.make(secrets, c.config()).View(), f.make(secrets, c.config()).View())
		}
		model := map[string][]index.Hint{}
		for range 2000 {
			c.Advance(time.Duration(random.IntN(3)) * time.Second)
			claim := index.Claim{Hash: hash(random.IntN(5)), ID: fmt.Sprint("id", random.IntN(4)), Generation: int64(random.IntN(6))}
			v := views[random.IntN(len(views))]
			hints := model[claim.Hash]
			at := slices.IndexFunc(hints, func(h index.Hint) bool { return h.ID == claim.ID })
			switch random.IntN(3) {
			case 0:
				if at < 0 {
					at, hints = len(hints), append(hints, index.Hint{ID: claim.ID})
				}
				hints[at].Generation = max(hints[at].Generation, claim.Generation)
				hints[at].Claimed = c.Now()
				others := mustClaim(t, v, claim)
				want := slices.Delete(slices.Clone(hints), at, at+1)
				if !slices.Equal(others[0], want) {
					t.Fatalf("others %v, want %v", others[0], want)
				}
			case 1:
				if at >= 0 && hints[at].Generation <= claim.Generation {
					hints = slices.Delete(hints, at, at+1)
				}
				v.Forget()
				mustRelease(t, v, claim)
			case 2:
				v.Forget()
				if got := mustLookup(t, v, claim.Hash)[0]; !slices.Equal(got, hints) {
					t.Fatalf("hints %v, want %v", got, hints)
				}
			}
			model[claim.Hash] = hints
		}
	})
}
