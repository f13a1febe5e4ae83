package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/index"
)

// grace is the grace of an index whose configuration gives a shorter one.
const grace = 2 * time.Hour

// oldDocuments returns the names of the documents of layouts before the present one.
func oldDocuments(t *testing.T, secrets driver.Secrets, present string) []string {
	t.Helper()
	return slices.DeleteFunc(names(t, secrets), func(name string) bool { return name == "root" || strings.HasPrefix(name, present+"-") })
}

// epochOf returns the epoch of the root.
func epochOf(t *testing.T, secrets driver.Secrets) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(data(t, secrets, "root")), `"epoch":"`)
	epoch, _, _ := strings.Cut(rest, `"`)
	return epoch
}

// Documents of older layouts are kept for the grace period. After that later writers
// delete them, a few with each write, and the root forgets them; look-ups write nothing.
func TestRetire(t *testing.T) {
	for _, batched := range []bool{false, true} {
		t.Run(fmt.Sprintf("batched %v", batched), func(t *testing.T) {
			c := newClock()
			stored := filled(t, c, 30, 20)
			var service driver.Secrets = stored
			if batched {
				service = stored.Batched()
			}
			secrets, counts := drivertest.Count(service)
			x, y := document(1).make(secrets, c.config()), document(1).make(secrets, c.config())
			for _, fanout := range []int{60, 120} {
				if err := reshard(ctx, x, fanout); err != nil {
					t.Fatal(err)
				}
				c.Advance(time.Minute)
			}
			present := epochOf(t, stored)
			all := len(oldDocuments(t, stored, present))
			if all != 90 { // Those that were empty too: sealing creates them.
				t.Errorf("%d old documents", all)
			}
			c.Advance(grace - 2*time.Minute)
			mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
			if left := oldDocuments(t, stored, present); len(left) != all {
				t.Errorf("%d of %d old documents within the grace period", len(left), all)
			}
			c.Advance(3 * time.Minute)
			checkFilled(t, secrets, c, 20, "after the grace period")
			if left := oldDocuments(t, stored, present); len(left) != all {
				t.Errorf("%d of %d old documents after look-ups", len(left), all)
			}
			for claims := 0; len(oldDocuments(t, stored, present)) > 0; claims++ {
				if claims == all {
					t.Fatalf("after %d claims there are %q", claims, oldDocuments(t, stored, present))
				}
				before := len(oldDocuments(t, stored, present))
				mustClaim(t, []index.Index{x, y}[claims%2].View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
				if now := len(oldDocuments(t, stored, present)); before-now > 4 {
					t.Errorf("a claim deleted %d documents", before-now)
				}
			}
			for range 30 { // The processes have seen that all are deleted.
				mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
				mustClaim(t, y.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
			}
			if root := data(t, stored, "root"); bytes.Contains(root, []byte("retired")) {
				t.Errorf("the root is %s", root)
			}
			checkFilled(t, secrets, c, 20, "in the end")
			counts.Reset()
			mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
			if counts.Total() != 2 {
				t.Errorf("a claim makes %v", counts)
			}
		})
	}
}

// A process that dies while it deletes old documents leaves the rest to the next writer.
func TestRetireCrash(t *testing.T) {
	for call := 1; ; call++ {
		c := newClock()
		secrets := filled(t, c, 5, 20)
		if err := reshard(ctx, document(1).make(secrets, c.config()), 2); err != nil {
			t.Fatal(err)
		}
		c.Advance(grace + time.Minute)
		dying := drivertest.Inject(secrets, drivertest.FailFrom(call, drivertest.LoseReply))
		x, claimed := document(1).make(dying, c.config()), 0
		for range 5 {
			if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(1000), ID: "late", Generation: 1}); err == nil {
				claimed++
			}
		}
		when := fmt.Sprintf("died at call %d", call)
		checkFilled(t, secrets, c, 20, when)
		next := document(1).make(secrets, c.config())
		for range 5 {
			mustClaim(t, next.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
		}
		checkFilled(t, secrets, c, 20, when+", claimed again")
		if left := oldDocuments(t, secrets, epochOf(t, secrets)); len(left) > 0 || bytes.Contains(data(t, secrets, "root"), []byte("retired")) {
			t.Errorf("%s: left %q, root %s", when, left, data(t, secrets, "root"))
		}
		if claimed == 5 && call > 20 {
			return
		}
	}
}

// A claim succeeds although the documents cannot be deleted, and the process does not try
// again for an hour.
func TestRetireDenied(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 4, 20)
	if err := reshard(ctx, document(1).make(secrets, c.config()), 8); err != nil {
		t.Fatal(err)
	}
	c.Advance(grace + time.Minute)
	deletions := 0
	denied := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.Delete {
			deletions++
			return driver.ErrDenied
		}
		return do(ctx)
	})
	x := document(1).make(denied, c.config())
	for _, want := range []int{1, 2} {
		for range 10 {
			mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
		}
		if deletions != want {
			t.Errorf("%d deletions, want %d", deletions, want)
		}
		c.Advance(time.Hour + time.Second)
	}
	if left := oldDocuments(t, secrets, epochOf(t, secrets)); len(left) != 4 {
		t.Errorf("left %q", left)
	}
}

// What is not sealed, or cannot be read, is left to the repair.
func TestRetireLeavesWhatItDoesNotKnow(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 4, 20)
	old := epochOf(t, secrets)
	before := data(t, secrets, old+"-1")
	x := document(1).make(secrets, c.config())
	if err := reshard(ctx, x, 2); err != nil {
		t.Fatal(err)
	}
	c.Advance(grace + time.Minute)
	secrets.Edit(prefix+old+"-1", before)
	secrets.Edit(prefix+old+"-2", []byte("broken"))
	for range 5 {
		mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
	}
	if left := oldDocuments(t, secrets, epochOf(t, secrets)); !slices.Equal(left, []string{old + "-1", old + "-2"}) {
		t.Errorf("left %q", left)
	}
	if bytes.Contains(data(t, secrets, "root"), []byte("retired")) {
		t.Errorf("the root is %s", data(t, secrets, "root"))
	}
}

// A root whose list of old layouts a person has broken loses nothing but that list, and the
// list stays short however often the fan-out changes.
func TestRetiredInRoot(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 2, 20)
	x := document(1).make(secrets, c.config())
	for i := range 100 {
		if err := reshard(ctx, x, 2+i%2); err != nil {
			t.Fatal(err)
		}
	}
	if size := len(data(t, secrets, "root")); size > 1500 {
		t.Errorf("the root has %d bytes", size)
	}
	for _, broken := range []string{`"?"`, `"1 2"`, `"5 2 1;"`, `"9999999999999 2 1"`, `"5 0 1"`, `"-5 2 1"`, `"5 2 -1"`, `7`, `{"a":1}`} {
		root := data(t, secrets, "root")
		_, rest, _ := bytes.Cut(root, []byte(`"retired":"`))
		value, _, _ := bytes.Cut(rest, []byte(`"`))
		secrets.Edit(prefix+"root", bytes.Replace(root, append(append([]byte(`"`), value...), '"'), []byte(broken), 1))
		checkFilled(t, secrets, c, 20, broken)
		if err := reshard(ctx, x, 3); err != nil {
			t.Fatal(err)
		}
		if err := reshard(ctx, x, 2); err != nil {
			t.Fatal(err)
		}
	}
}

// A process that slept through two changes of the fan-out and the deletion of the old
// documents takes no missing document as evidence, whatever it was about to do.
func TestSleptThroughGrowth(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, x index.Index, v index.View){
		"remembers the layout": func(t *testing.T, x index.Index, _ index.View) { mustLookup(t, x.View(), hash(0)) },
		"has read the root":    func(t *testing.T, _ index.Index, v index.View) { mustLookup(t, v, hash(0)) },
		"has written":          func(t *testing.T, _ index.Index, v index.View) { mustClaim(t, v, tokenClaims(5000)...) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range []int{1, 3} {
				for key := 1; key < 20; key++ {
					c := newClock()
					secrets := filled(t, c, from, 20)
					sleeper := document(1).make(secrets, c.config())
					v := sleeper.View()
					prepare(t, sleeper, v)
					others := document(1).make(secrets, c.config())
					for range 2 {
						if err := reshard(ctx, others, 2*atoi(t, fanoutOf(t, secrets))); err != nil {
							t.Fatal(err)
						}
					}
					c.Advance(grace + time.Hour)
					for range 20 {
						mustClaim(t, others.View(), index.Claim{Hash: hash(2000), ID: "late", Generation: 1})
					}
					if left := oldDocuments(t, secrets, epochOf(t, secrets)); len(left) > 0 {
						t.Fatalf("left %q", left)
					}
					if from > 1 { // The root alone is what the view has read; it is one state.
						if found := mustLookup(t, v, hash(key))[0]; !slices.Contains(ids(found), userHash(key)) {
							t.Fatalf("from %d: key %d is not found: %v", from, key, found)
						}
					}
					mustClaim(t, v, tokenClaims(3000)...)
					if found := mustLookup(t, others.View(), hash(3000))[0]; len(found) != 1 {
						t.Fatalf("from %d: what it claimed is not found", from)
					}
					if err := v.Release(ctx, tokenClaims(key)...); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func atoi(t *testing.T, text string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Of the documents that a slow answer shows, only those that have not changed since are
// deleted.
func TestRetireIsConditional(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 4, 20)
	old := epochOf(t, secrets)
	if err := reshard(ctx, document(1).make(secrets, c.config()), 2); err != nil {
		t.Fatal(err)
	}
	c.Advance(grace + time.Minute)
	edited := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.Delete {
			secrets.Edit(call.Name, []byte(`{"kept":"by a person"}`))
		}
		return do(ctx)
	})
	x := document(1).make(edited, c.config())
	for range 5 {
		mustClaim(t, x.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
	}
	for n := range 4 {
		if got, err := secrets.Get(ctx, fmt.Sprintf("%s%s-%d", prefix, old, n)); err != nil || !bytes.Contains(got.Data, []byte("kept")) {
			t.Errorf("document %d: %s, %v", n, got.Data, err)
		}
	}
	if _, err := secrets.Get(ctx, prefix+"root"); errors.Is(err, driver.ErrNotFound) {
		t.Error("the root is gone")
	}
}
