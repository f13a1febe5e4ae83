// Entries that one operation reads once.

package index_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// counted returns secrets whose reads are counted.
func counted(secrets driver.Secrets) (driver.Secrets, *atomic.Int64) {
	var reads atomic.Int64
	return drivertest.Intercept(secrets, func(ctx context.Context, c drivertest.Call, do func(context.Context) error) error {
		if c.Method != drivertest.Put && c.Method != drivertest.Delete {
			reads.Add(1)
		}
		return do(ctx)
	}), &reads
}

func listAll(t *testing.T, x index.Index) string {
	t.Helper()
	var all []string
	for e, err := range x.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range e.Hints {
			all = append(all, fmt.Sprint(e.Hash[:4], h.ID, h.Generation))
		}
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// Whatever is asked of it, and in whatever order, it answers as the index does, and reads each
// secret once.
func TestKeptEntries(t *testing.T) {
	const n = 6
	c := newClock()
	secrets := memory.New()
	plain := index.NewEntries(secrets, c.config())
	for i := range n {
		mustClaim(t, plain.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
	}
	mustRelease(t, plain.View(), index.Claim{Hash: hash(0), ID: "a", Generation: 1})
	c.Advance(48 * time.Hour)
	mustRelease(t, plain.View(), index.Claim{Hash: hash(5), ID: "a", Generation: 1}) // Too young to be swept.
	counting, reads := counted(secrets)
	keeper := index.NewEntries(counting, c.config()).(index.Keeper)
	kept := keeper.Keep()
	for round := range 2 {
		for i := range n + 1 { // The last does not exist.
			if got, want := fmt.Sprint(mustLookup(t, kept.View(), hash(i))), fmt.Sprint(mustLookup(t, plain.View(), hash(i))); got != want {
				t.Errorf("round %d: key %d has the hints %s, want %s", round, i, got, want)
			}
		}
		if got, want := listAll(t, kept), listAll(t, plain); got != want {
			t.Errorf("round %d: all hints are %s, want %s", round, got, want)
		}
		sweepWants(t, kept, time.Hour, true, 1)
		got, err := kept.Stats(ctx)
		want, err2 := plain.Stats(ctx)
		if err != nil || err2 != nil || !slices.Equal(got, want) {
			t.Errorf("round %d: Stats gives %v, %v; want %v", round, got, err, want)
		}
	}
	if reads.Load() != n+2 { // The absent one, and the list.
		t.Errorf("%d reads of %d entries", reads.Load(), n)
	}

	// What it writes and removes, it knows.
	mustClaim(t, kept.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 2})
	mustRelease(t, kept.View(), index.Claim{Hash: hash(2), ID: "a", Generation: 1})
	sweepWants(t, kept, time.Hour, false, 1)
	got, err := kept.Stats(ctx)
	want, err2 := plain.Stats(ctx)
	if err != nil || err2 != nil || !slices.Equal(got, want) || listAll(t, kept) != listAll(t, plain) {
		t.Errorf("after writes: Stats gives %v, %v; want %v", got, err, want)
	}
	if reads.Load() != n+3 { // The claim had not looked its key up, and reads it after all.
		t.Errorf("%d reads with writes", reads.Load())
	}
	if other := keeper.Keep(); listAll(t, other) != listAll(t, plain) || reads.Load() != 2*n+3 {
		t.Errorf("%d reads of the next operation: it has the memory of another", reads.Load())
	}
}

// A write of an entry that others have written meanwhile keeps what they wrote, and a hint
// that was claimed again is not released as the old one.
func TestKeptEntriesOfOthers(t *testing.T) {
	c := newClock()
	secrets := memory.New()
	plain := index.NewEntries(secrets, c.config())
	mustClaim(t, plain.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1}, index.Claim{Hash: hash(2), ID: "a", Generation: 1})
	old := c.Now()
	kept := index.NewEntries(secrets, c.config()).(index.Keeper).Keep()
	listAll(t, kept)
	c.Advance(time.Minute)
	mustClaim(t, plain.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1}, index.Claim{Hash: hash(2), ID: "b", Generation: 1})
	mustRelease(t, kept.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1, Claimed: old})
	wantIDs(t, "claimed again", mustLookup(t, plain.View(), hash(1))[0], "a")
	v := kept.View()
	mustLookup(t, v, hash(2))
	others := mustClaim(t, v, index.Claim{Hash: hash(2), ID: "c", Generation: 1})
	wantIDs(t, "others of a claim", others[0], "a", "b")
	wantIDs(t, "claimed over what was kept", mustLookup(t, plain.View(), hash(2))[0], "a", "b", "c")
	wantIDs(t, "kept then", mustLookup(t, kept.View(), hash(2))[0], "a", "b", "c")
}
