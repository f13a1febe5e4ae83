package index_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// An empty entry stays with its revision and generation, so that a writer with
// an old revision fails, until a sweep after the grace period.
func TestEmptyEntry(t *testing.T) {
	c := newClock()
	secrets := memory.New()
	x := index.NewEntries(secrets, c.config())
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	late, err := secrets.Get(ctx, prefix+hash(1))
	if err != nil {
		t.Fatal(err)
	}
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	if _, err := secrets.Put(ctx, late); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("a write with the revision before the release: %v, want a conflict", err)
	}
	wantIDs(t, "empty entry", mustLookup(t, x.View(), hash(1))[0])
	for range x.All(ctx) {
		t.Error("All yields an empty entry")
	}

	sweepWants(t, x, time.Hour, false, 0)
	c.Advance(time.Hour + time.Second)
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	sweepWants(t, x, time.Hour, false, 0)
	c.Advance(100 * time.Hour)
	sweepWants(t, x, time.Hour, false, 0)
	mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	sweepWants(t, x, time.Hour, false, 0)
	c.Advance(time.Hour + time.Second)
	sweepWants(t, x, time.Hour, true, 1)
	sweepWants(t, x, time.Hour, false, 1)
	if secrets.Len() != 0 {
		t.Errorf("%d secrets left, want none", secrets.Len())
	}
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "c", Generation: 1})
	wantIDs(t, "claimed after the sweep", mustLookup(t, x.View(), hash(1))[0], "c")
}

// Other secrets under the prefix are neither read nor removed.
func TestForeignSecrets(t *testing.T) {
	foreign := []string{"root", "notes", "1-2-3", "7-01", "entry/" + hash(1), "A" + hash(1)[1:]}
	inEachForm(t, func(t *testing.T, f form) {
		c := newClock()
		secrets := memory.New()
		var put []string
		for _, name := range foreign {
			if name != "root" || f.name == "entries" {
				secrets.Edit(prefix+name, []byte("not JSON"))
				put = append(put, name)
			}
		}
		x := f.make(secrets, c.config())
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		c.Advance(100 * time.Hour)
		if _, err := x.Sweep(ctx, time.Hour, false); err != nil {
			t.Errorf("Sweep: %v", err)
		}
		for _, err := range x.All(ctx) {
			if err != nil {
				t.Errorf("All: %v", err)
			}
		}
		if _, err := x.Stats(ctx); err != nil {
			t.Errorf("Stats: %v", err)
		}
		left := names(t, secrets)
		for _, name := range put {
			if !slices.Contains(left, name) {
				t.Errorf("%s is gone", name)
			}
		}
	})
}

func TestAll(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		for _, secrets := range []driver.Secrets{memory.New(), memory.New().Batched()} {
			c := newClock()
			x := f.make(secrets, c.config())
			const keys = 150
			for i := range keys {
				mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: userHash(i), Generation: 4})
			}
			mustClaim(t, x.View(), index.Claim{Hash: hash(0), ID: "a", Generation: 5})
			found := map[string][]index.Hint{}
			var order []string
			for entry, err := range x.All(ctx) {
				if err != nil {
					t.Fatalf("All: %v", err)
				}
				found[entry.Hash], order = entry.Hints, append(order, entry.Hash)
			}
			if len(found) != keys || len(order) != keys || !slices.IsSorted(order) {
				t.Errorf("%d entries, %d of them different, sorted: %v", len(order), len(found), slices.IsSorted(order))
			}
			// The hash that All yields is good for all else.
			for _, h := range order {
				hints := mustLookup(t, x.View(), h)[0]
				if !slices.Equal(hints, found[h]) {
					t.Fatalf("Lookup %v, All %v", hints, found[h])
				}
				mustRelease(t, x.View(), index.Claim{Hash: h, ID: hints[0].ID, Generation: 4})
			}
			n := 0
			for range x.All(ctx) {
				n++
			}
			if n != 1 {
				t.Errorf("%d entries after the releases, want that of the second ID", n)
			}
		}
	})
}

// One unreadable entry does not hide the others.
func TestUnreadableEntry(t *testing.T) {
	for _, secrets := range []*memory.Secrets{memory.New(), memory.New()} {
		c := newClock()
		x := index.NewEntries(secrets, c.config())
		for i := range 5 {
			mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
		}
		secrets.Edit(prefix+hash(2), []byte(`{"@a": "what?"}`))
		x = index.NewEntries(secrets.Batched(), c.config())
		faults, entries := 0, 0
		for _, err := range x.All(ctx) {
			if err == nil {
				entries++
			} else if faults++; !errors.Is(err, driver.ErrUnreadable) {
				t.Errorf("All: %v", err)
			}
		}
		stats, err := x.Stats(ctx)
		if faults != 1 || entries != 4 || len(stats) != 4 || !errors.Is(err, driver.ErrUnreadable) {
			t.Errorf("%d faults, %d entries, %d stats and %v", faults, entries, len(stats), err)
		}
		if _, err := x.Sweep(ctx, 0, false); !errors.Is(err, driver.ErrUnreadable) {
			t.Errorf("Sweep: %v", err)
		}
	}
}

// The IDs come in the order of their claims, each once, across all documents.
func TestIDs(t *testing.T) {
	for _, f := range []form{document(1), document(16)} {
		t.Run(f.name, func(t *testing.T) {
			c := newClock()
			x := f.make(memory.New(), c.config())
			lister := x.(index.Lister)
			if ids, ok, err := lister.IDs(ctx); err != nil || ok || len(ids) != 0 {
				t.Errorf("IDs of no index: %v, %v", ids, err)
			}
			for i, id := range []string{"c", "a", "b"} {
				mustClaim(t, x.View(), index.Claim{Hash: hash(2 * i), ID: id, Generation: 1}, index.Claim{Hash: hash(2*i + 1), ID: id, Generation: 1})
				c.Advance(time.Second)
			}
			mustClaim(t, x.View(), index.Claim{Hash: hash(0), ID: "a", Generation: 1}, index.Claim{Hash: hash(1), ID: "c", Generation: 2})
			ids, ok, err := lister.IDs(ctx)
			if err != nil || !ok || !slices.Equal(ids, []string{"c", "a", "b"}) {
				t.Errorf("IDs %q, %v", ids, err)
			}
		})
	}
}

// One unreadable document does not hide the others from an operator, but a list
// of IDs that lacks some is no list.
func TestUnreadableDocument(t *testing.T) {
	secrets := memory.New()
	x := document(16).make(secrets, newClock().config())
	for i := range 100 {
		mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
	}
	broken := prefix + names(t, secrets)[3]
	secrets.Edit(broken, []byte("{"))
	stats, err := x.Stats(ctx)
	if len(stats) != 16 || !errors.Is(err, driver.ErrUnreadable) || !strings.Contains(err.Error(), broken) {
		t.Errorf("Stats: %d, %v", len(stats), err)
	}
	if _, _, err := x.(index.Lister).IDs(ctx); !errors.Is(err, driver.ErrUnreadable) {
		t.Errorf("IDs: %v, want ErrUnreadable", err)
	}
	if err := reshard(ctx, x, 4); !errors.Is(err, driver.ErrUnreadable) || strings.Contains(string(data(t, secrets, "root")), "next") {
		t.Errorf("Reshard: %v, want ErrUnreadable and nothing begun", err)
	}
	// The remedy.
	secrets.Remove(broken)
	if err := reshard(ctx, x, 4); err != nil {
		t.Errorf("Reshard: %v", err)
	}
}
