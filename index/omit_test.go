// Keys that an index leaves out: all processes learn of it before they miss one.

package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

func omits(t *testing.T, x index.Index) bool {
	t.Helper()
	return viewOmits(t, x.View())
}

func viewOmits(t *testing.T, v index.View) bool {
	t.Helper()
	rotating, err := v.(index.OmittingView).Omits(ctx, tokenstore.RefreshKey)
	if err != nil {
		t.Fatalf("Omits: %v", err)
	}
	return rotating
}

func omit(ctx context.Context, x index.Index) error {
	return x.(index.Omitter).Omit(ctx, tokenstore.RefreshKey)
}

// rotating is a process whose own option is to leave refresh tokens out.
func rotating(secrets driver.Secrets, c *clock, fanout int) index.Index {
	return index.NewDocument(secrets, c.config(), index.WithFanout(fanout), index.WithoutRefreshTokens())
}

// A process's own option decides for a new index alone.
func TestOmitsFollowsTheRoot(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		c := newClock()
		secrets := memory.New()
		own, other := rotating(secrets, c, fanout), document(fanout).make(secrets, c.config())
		if omits(t, own) {
			t.Error("an index that does not exist leaves refresh tokens out")
		}
		mustClaim(t, own.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		if !omits(t, own) || !omits(t, other) || !strings.Contains(string(data(t, secrets, "root")), `"omits":"access refresh"`) {
			t.Errorf("fan-out %d: the root of a new index is %s", fanout, data(t, secrets, "root"))
		}
		if err := reshard(ctx, other, fanout*2); err != nil {
			t.Fatal(err)
		}
		if !omits(t, document(1).make(secrets, c.config())) {
			t.Error("a change of the fan-out forgets what is left out")
		}

		secrets = filled(t, c, fanout, 3)
		late := rotating(secrets, c, fanout)
		mustClaim(t, late.View(), index.Claim{Hash: hash(9), ID: "a", Generation: 1})
		if omits(t, late) || strings.Contains(string(data(t, secrets, "root")), "omits") {
			t.Errorf("fan-out %d: a process's own option changes an index in use", fanout)
		}
	}
}

// Only refresh tokens are a matter of the root.
func TestOmitsOtherKinds(t *testing.T) {
	calls := 0
	counting := drivertest.Intercept(memory.New(), func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
		calls++
		return do(ctx)
	})
	x := document(1).make(counting, newClock().config())
	for kind, want := range map[tokenstore.KeyKind]bool{tokenstore.AccessKey: true, tokenstore.UserKey: false, tokenstore.GrantKey: false} {
		if got, err := x.View().(index.OmittingView).Omits(ctx, kind); err != nil || got != want {
			t.Errorf("Omits(%s): %v, %v", kind, got, err)
		}
		if err := x.(index.Omitter).Omit(ctx, kind); want != (err == nil) || !want && !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Omit(%s): %v", kind, err)
		}
	}
	if calls > 0 {
		t.Errorf("%d calls", calls)
	}
}

// A process that has looked a key up, or claimed one, asks without another call.
func TestOmitsCostsNoCall(t *testing.T) {
	for _, fanout := range []int{1, 16} {
		c, calls := newClock(), 0
		counting := drivertest.Intercept(filled(t, c, fanout, 3), func(ctx context.Context, _ drivertest.Call, do func(context.Context) error) error {
			calls++
			return do(ctx)
		})
		x := document(1).make(counting, c.config())
		omits(t, x)
		if calls != 1 {
			t.Errorf("fan-out %d: %d calls of a process that remembers nothing", fanout, calls)
		}
		v := x.View()
		mustLookup(t, v, hash(1))
		calls = 0
		c.Advance(2 * time.Hour)
		if viewOmits(t, v); calls != 0 {
			t.Errorf("fan-out %d: %d calls of a view that has looked a key up", fanout, calls)
		}
		if omits(t, x); calls != 1 {
			t.Errorf("fan-out %d: %d calls two hours later", fanout, calls)
		}
		// With one document, an index that leaves nothing out may have changed since.
		calls = 0
		if omits(t, x); calls > 1 || fanout > 1 && calls > 0 {
			t.Errorf("fan-out %d: %d calls of a process that remembers", fanout, calls)
		}
		// What the view has read for it serves its look-ups and claims.
		v, calls = document(1).make(counting, c.config()).View(), 0
		viewOmits(t, v)
		if mustLookup(t, v, hash(1)); calls != min(fanout, 2) {
			t.Errorf("fan-out %d: %d calls of a look-up behind it", fanout, calls)
		}
		if err := omit(ctx, x); err != nil {
			t.Fatal(err)
		}
		if calls = 0; !omits(t, x) || calls > 0 {
			t.Errorf("fan-out %d: %d calls of a process that knows of an index that leaves them out", fanout, calls)
		}
	}
}

// A process that remembers the layout from before learns of the change from its next look-up,
// before and after the old documents are swept.
func TestOmitMeetsOldMemory(t *testing.T) {
	for _, fanout := range []int{1, 2, 16} {
		for _, swept := range []bool{false, true} {
			c := newClock()
			secrets := filled(t, c, fanout, 20)
			reader, writer := document(1).make(secrets, c.config()), document(1).make(secrets, c.config())
			mustLookup(t, reader.View(), hash(0))
			mustLookup(t, writer.View(), hash(0))
			x := document(1).make(secrets, c.config())
			if err := omit(ctx, x); err != nil {
				t.Fatal(err)
			}
			checkFilled(t, secrets, c, 20, "afterwards")
			if swept {
				c.Advance(30 * time.Minute) // The reader still relies on what it remembers.
				if _, err := x.Sweep(ctx, time.Minute, false); err != nil {
					t.Fatal(err)
				}
			}
			v := reader.View()
			mustLookup(t, v, hash(999))
			if !viewOmits(t, v) || !omits(t, reader) {
				t.Errorf("fan-out %d, swept %v: a reader relies on the layout from before", fanout, swept)
			}
			mustClaim(t, writer.View(), index.Claim{Hash: hash(500), ID: "late", Generation: 1})
			wantIDs(t, "claimed by a process that remembers the layout from before", mustLookup(t, x.View(), hash(500))[0], "late")
			if !omits(t, writer) {
				t.Errorf("fan-out %d, swept %v: a writer relies on the layout from before", fanout, swept)
			}
			before := string(data(t, secrets, "root"))
			if err := omit(ctx, x); err != nil || string(data(t, secrets, "root")) != before {
				t.Errorf("once more: %v", err)
			}
		}
	}
}

// A process that dies at any call leaves an index in which every key is found, and which the
// next one goes on with.
func TestOmitCrash(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		for _, outcome := range []drivertest.Outcome{drivertest.Unreached, drivertest.LoseReply} {
			for call := 1; ; call++ {
				c := newClock()
				secrets := filled(t, c, fanout, 20)
				dying := drivertest.Inject(secrets, drivertest.FailFrom(call, outcome))
				done := omit(ctx, document(1).make(dying, c.config())) == nil
				when := fmt.Sprintf("fan-out %d, died at call %d", fanout, call)
				checkFilled(t, secrets, c, 20, when)
				next := document(1).make(secrets, c.config())
				mustClaim(t, next.View(), index.Claim{Hash: hash(1000), ID: "next", Generation: 1})
				checkFilled(t, secrets, c, 20, when+", one claim later")
				if err := omit(ctx, next); err != nil {
					t.Fatalf("%s: Omit: %v", when, err)
				}
				checkFilled(t, secrets, c, 20, when+", omitted")
				if !omits(t, document(1).make(secrets, c.config())) {
					t.Fatalf("%s: Omit has no effect", when)
				}
				if done {
					break
				}
			}
		}
	}
}

// A change that grows on its way, since the hints no longer fit, still leaves out what it was
// to leave out.
func TestOmitSurvivesGrowth(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 16, 30, memory.WithLimits(driver.Limits{MaxSize: 2000}))
	next := fmt.Sprintf(`"next":"%d 1 access refresh","fanout"`, c.Now().Unix()+1)
	secrets.Edit(prefix+"root", []byte(strings.Replace(string(data(t, secrets, "root")), `"fanout"`, next, 1)))
	x := document(1).make(secrets, c.config())
	if _, err := x.Sweep(ctx, time.Hour, false); err != nil { // It finishes the change.
		t.Fatalf("Sweep: %v", err)
	}
	checkFilled(t, secrets, c, 30, "grown")
	if root := string(data(t, secrets, "root")); !omits(t, x) || strings.Contains(root, "next") || strings.Contains(root, `"fanout":"1"`) {
		t.Errorf("root %s", root)
	}
}

// What a person has made of the field is reported and never read as the default.
func TestDamagedOmits(t *testing.T) {
	for _, damage := range []string{`"omits":"refresh"`, `"omits":"access refresh grant"`, `"omits":["refresh"]`, `"next":"9000000000 4 refresh"`, `"next":"9000000000"`} {
		c := newClock()
		secrets := filled(t, c, 4, 3)
		secrets.Edit(prefix+"root", []byte(strings.Replace(string(data(t, secrets, "root")), `"fanout"`, damage+`,"fanout"`, 1)))
		v := document(1).make(secrets, c.config()).View()
		if _, err := v.(index.OmittingView).Omits(ctx, tokenstore.RefreshKey); !errors.Is(err, driver.ErrUnreadable) {
			t.Errorf("%s: %v", damage, err)
		}
	}
}

// In random interleavings of two processes that make the change, of which some die, and a
// reader that remembers the layout from before: a look-up that begins after the change is
// complete learns that keys may be left out.
func TestOmitSchedules(t *testing.T) {
	for _, fanout := range []int{1, 2} {
		for seed := range long(300, 20_000) {
			random := rand.New(rand.NewPCG(uint64(seed), 13))
			c := newClock()
			secrets := filled(t, c, fanout, 2)
			var complete atomic.Bool
			changer := func(name string) process {
				return process{name, func(ctx context.Context, x index.Index) error {
					err := omit(ctx, x)
					if err == nil {
						complete.Store(true)
					}
					return err
				}}
			}
			reader := process{"reader", func(ctx context.Context, x index.Index) error {
				for range 4 { // The first look-up remembers.
					before := complete.Load()
					v := x.View()
					if _, err := v.Lookup(ctx, hash(999)); err != nil {
						return err
					}
					rotating, err := v.(index.OmittingView).Omits(ctx, tokenstore.RefreshKey)
					if err != nil {
						return err
					}
					if before && !rotating {
						return errors.New("a look-up after the change relies on the layout from before")
					}
				}
				return nil
			}}
			errs := play(secrets, c, []process{changer("one"), changer("two"), reader}, func(n int) (int, bool) {
				return random.IntN(n), random.IntN(40) == 0
			})
			for name, err := range errs {
				if err != nil && !errors.Is(err, errDied) {
					t.Fatalf("fan-out %d, seed %d: %s: %v", fanout, seed, name, err)
				}
			}
			checkFilled(t, secrets, c, 2, "in the end")
		}
	}
}
