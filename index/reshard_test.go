package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

func reshard(ctx context.Context, x index.Index, fanout int) error {
	return x.(index.Resharder).Reshard(ctx, fanout)
}

// filled returns a service with an index of the given fan-out that holds n keys
// of n IDs, and a hint of a second ID for every third key.
func filled(t *testing.T, c *clock, fanout, n int, options ...memory.Option) *memory.Secrets {
	t.Helper()
	secrets := memory.New(options...)
	x := document(fanout).make(secrets, c.config())
	v := x.View()
	for i := range n {
		mustClaim(t, v, index.Claim{Hash: hash(i), ID: userHash(i), Generation: c.Now().Unix()}, index.Claim{Hash: userHash(i), ID: userHash(i), Generation: c.Now().Unix()})
	}
	for i := 0; i < n; i += 3 {
		mustClaim(t, v, index.Claim{Hash: hash(i), ID: "another", Generation: 1})
	}
	return secrets
}

// checkFilled checks that a process that knows nothing finds what filled made.
func checkFilled(t *testing.T, secrets driver.Secrets, c *clock, n int, when string) {
	t.Helper()
	v := document(1).make(secrets, c.config()).View()
	for i := range n {
		hints, err := v.Lookup(ctx, hash(i), userHash(i))
		if err != nil {
			t.Fatalf("%s: look-up: %v", when, err)
		}
		want := []string{userHash(i)}
		if i%3 == 0 {
			want = append(want, "another")
		}
		if !slices.Equal(ids(hints[0]), want) || !slices.Equal(ids(hints[1]), want[:1]) {
			t.Fatalf("%s: key %d has the IDs %q and %q", when, i, ids(hints[0]), ids(hints[1]))
		}
	}
}

// names lists what is stored.
func names(t *testing.T, secrets driver.Secrets) []string {
	t.Helper()
	var names []string
	for name, err := range secrets.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(name, prefix))
	}
	slices.Sort(names)
	return names
}

func data(t *testing.T, secrets driver.Secrets, name string) []byte {
	t.Helper()
	s, err := secrets.Get(ctx, prefix+name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s.Data
}

var changes = []struct{ from, to, keys int }{{1, 16, 20}, {16, 256, 20}, {16, 1, 20}, {1, 2, 0}, {3, 2, 1}}

func TestReshard(t *testing.T) {
	for _, change := range changes {
		t.Run(fmt.Sprintf("%d to %d", change.from, change.to), func(t *testing.T) {
			c := newClock()
			secrets := filled(t, c, change.from, change.keys)
			before := names(t, secrets)
			x := document(1).make(secrets, c.config())
			old := document(1).make(secrets, c.config())
			reader := document(1).make(secrets, c.config())
			mustLookup(t, old.View(), hash(0)) // Both remember the old layout.
			mustLookup(t, reader.View(), hash(0))
			if err := reshard(ctx, x, change.to); err != nil {
				t.Fatalf("Reshard: %v", err)
			}
			checkFilled(t, secrets, c, change.keys, "afterwards")
			if hints := mustLookup(t, old.View(), hash(0))[0]; (len(hints) > 0) != (change.keys > 0) {
				t.Errorf("a process that remembers the old layout finds %v", hints)
			}
			mustClaim(t, old.View(), index.Claim{Hash: hash(1000), ID: "late", Generation: 1})
			wantIDs(t, "claimed by a process that remembers the old layout", mustLookup(t, x.View(), hash(1000))[0], "late")
			wantIDs(t, "the same, by a reader who remembers it", mustLookup(t, reader.View(), hash(1000))[0], "late")
			if root := string(data(t, secrets, "root")); !strings.Contains(root, fmt.Sprintf(`"fanout":"%d"`, change.to)) {
				t.Errorf("root %.200s, want fan-out %d", root, change.to)
			}

			c.Advance(time.Hour)
			sweepWants(t, x, 2*time.Hour, true, 0)
			c.Advance(2 * time.Hour)
			was := max(change.from, len(before)-1)
			if change.from == 1 {
				was = 0
			}
			sweepWants(t, x, 2*time.Hour, true, was)
			sweepWants(t, x, 2*time.Hour, false, was)
			sweepWants(t, x, 2*time.Hour, false, 0)
			checkFilled(t, secrets, c, change.keys, "after the sweep")
			mustClaim(t, old.View(), index.Claim{Hash: hash(1001), ID: "late", Generation: 1})
			wantIDs(t, "after the sweep, by a process that remembers the old layout", mustLookup(t, x.View(), hash(1001))[0], "late")
		})
	}
}

func sweepWants(t *testing.T, x index.Index, grace time.Duration, dryRun bool, want int) {
	t.Helper()
	n, err := x.Sweep(ctx, grace, dryRun)
	if err != nil || n != want {
		t.Errorf("Sweep(dryRun %v): %d, %v; want %d", dryRun, n, err, want)
	}
}

// A process that dies at any call leaves an index in which every key is found, and
// the next writer continues the change.
func TestReshardCrash(t *testing.T) {
	for _, change := range changes {
		for kind, outcome := range map[string]drivertest.Outcome{"before": drivertest.Unreached, "after": drivertest.LoseReply} {
			t.Run(fmt.Sprintf("%d to %d, %s a call", change.from, change.to, kind), func(t *testing.T) {
				for call := 1; ; call++ {
					c := newClock()
					secrets := filled(t, c, change.from, change.keys)
					dying := drivertest.Inject(secrets, drivertest.FailFrom(call, outcome))
					done := reshard(ctx, document(1).make(dying, c.config()), change.to) == nil
					when := fmt.Sprintf("died at call %d", call)

					checkFilled(t, secrets, c, change.keys, when)
					next := document(1).make(secrets, c.config())
					v := next.View()
					mustClaim(t, v, index.Claim{Hash: hash(1000), ID: "next", Generation: 1}, index.Claim{Hash: hash(1001), ID: "next", Generation: 1})
					mustRelease(t, v, index.Claim{Hash: hash(1000), ID: "next", Generation: 1})
					checkFilled(t, secrets, c, change.keys, when+", one claim later")
					if err := reshard(ctx, next, change.to); err != nil {
						t.Fatalf("%s: Reshard: %v", when, err)
					}
					checkFilled(t, secrets, c, change.keys, when+", resharded")
					c.Advance(48 * time.Hour)
					if _, err := next.Sweep(ctx, time.Hour, false); err != nil {
						t.Fatalf("%s: Sweep: %v", when, err)
					}
					checkFilled(t, secrets, c, change.keys, when+", swept")
					wantIDs(t, when+", claimed", mustLookup(t, document(1).make(secrets, c.config()).View(), hash(1001))[0], "next")
					if left := names(t, secrets); len(left) > 1+change.to || change.to == 1 && len(left) != 1 {
						t.Fatalf("%s: left %q", when, left)
					}
					if done {
						return
					}
				}
			})
		}
	}
}

// Every process computes the same new documents, whatever its clock says.
func TestReshardIsTheSameForAll(t *testing.T) {
	for _, from := range []int{1, 4} {
		c := newClock()
		announced := filled(t, c, from, 20)
		// It dies when it creates the first new document.
		first := drivertest.Intercept(announced, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
			if call.Method == drivertest.Put && call.Revision == "" {
				return driver.ErrDenied
			}
			return do(ctx)
		})
		if err := reshard(ctx, document(1).make(first, c.config()), 8); !errors.Is(err, driver.ErrDenied) {
			t.Fatalf("Reshard: %v", err)
		}
		var results []*memory.Secrets
		for i := range 2 {
			secrets := announced.Clone()
			c.Advance(time.Duration(i) * 20 * time.Hour)
			if err := reshard(ctx, document(1).make(secrets, c.config()), 8); err != nil {
				t.Fatal(err)
			}
			results = append(results, secrets)
		}
		for _, name := range names(t, results[0]) {
			if name != "root" && !bytes.Equal(data(t, results[0], name), data(t, results[1], name)) {
				t.Errorf("from %d: %s differs:\n%s\n%s", from, name, data(t, results[0], name), data(t, results[1], name))
			}
		}
	}
}

// While the fan-out keeps changing, a look-up that follows a claim finds it, and of two
// claims the later one sees the earlier one.
func TestReshardUnderLoad(t *testing.T) {
	const writers, each = 4, 60
	secrets := memory.New()
	process := func() index.Index {
		c := newClock().config()
		c.Sleep, c.Jitter = nil, nil
		return document(1).make(secrets, c)
	}
	var claimed atomic.Int64
	var mu sync.Mutex
	sums := map[int]int{}
	var workers, resharders sync.WaitGroup
	for w := range writers {
		x := process()
		workers.Go(func() {
			for i := range each {
				others, err := retried(func() ([][]index.Hint, error) {
					return x.View().Claim(ctx, index.Claim{Hash: hash(i), ID: fmt.Sprint("writer", w), Generation: 1}, index.Claim{Hash: userHash(i*writers + w), ID: "own", Generation: 1})
				})
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				mu.Lock()
				sums[i] += len(others[0])
				mu.Unlock()
				found, err := x.View().Lookup(ctx, hash(i), userHash(i*writers+w))
				if err != nil || !slices.Contains(ids(found[0]), fmt.Sprint("writer", w)) || len(found[1]) != 1 {
					t.Errorf("a key that was just claimed is not found: %v, %v", found, err)
					return
				}
				claimed.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	for r := range 2 {
		x := process()
		resharders.Go(func() {
			for i := r; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := retried(func() (int, error) { return 0, reshard(ctx, x, []int{4, 1, 16, 2}[i%4]) })
				if err != nil {
					t.Errorf("Reshard: %v", err)
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	workers.Wait()
	close(stop)
	resharders.Wait()
	for i, sum := range sums {
		if want := writers * (writers - 1) / 2; sum != want {
			t.Errorf("key %d: the claims saw %d others, want %d", i, sum, want)
		}
	}
}

// retried calls do until its error is no conflict.
func retried[T any](do func() (T, error)) (result T, err error) {
	for range 1000 {
		if result, err = do(); !errors.Is(err, driver.ErrConflict) {
			break
		}
	}
	return result, err
}

// A change that would not fit is refused before anything is sealed; one that no longer
// fits once everything is sealed switches to a larger fan-out.
func TestReshardTooLarge(t *testing.T) {
	const keys = 30
	c := newClock()
	limits := memory.WithLimits(driver.Limits{MaxSize: 2000})
	secrets := filled(t, c, 16, keys, limits)
	x := document(1).make(secrets, c.config())
	if err := reshard(ctx, x, 1); !errors.Is(err, index.ErrFull) || !errors.Is(err, driver.ErrTooLarge) {
		t.Fatalf("Reshard to 1: %v, want ErrFull", err)
	}
	checkFilled(t, secrets, c, keys, "refused")

	// Another process announces a fan-out that is too small.
	next := fmt.Sprintf(`"next":"%d 1","fanout"`, c.Now().Unix()+1)
	secrets.Edit(prefix+"root", bytes.Replace(data(t, secrets, "root"), []byte(`"fanout"`), []byte(next), 1))
	if _, err := x.Sweep(ctx, time.Hour, false); err != nil {
		t.Fatalf("Sweep: %v", err)
	}
	checkFilled(t, secrets, c, keys, "raised")
	root := data(t, secrets, "root")
	if strings.Contains(string(root), `"fanout":"1"`) || strings.Contains(string(root), "next") {
		t.Errorf("root %s, want a larger fan-out", root)
	}
}

// A process that stalled during a change of the fan-out and the sweep after it creates no
// document of the old layout, where no other process would find the hint.
func TestSleptThroughReshard(t *testing.T) {
	for _, asleep := range []time.Duration{time.Minute, 10 * time.Minute, 3 * time.Hour} {
		c := newClock()
		secrets := filled(t, c, 16, 3)
		fresh := document(1).make(secrets, c.config())
		for n := 1000; n < 1020; n++ { // Most of them fall into documents that do not exist.
			sleeper := document(1).make(secrets, c.config()).View()
			mustLookup(t, sleeper, hash(n))
			to := 16 + n%2
			if err := reshard(ctx, fresh, to); err != nil {
				t.Fatal(err)
			}
			c.Advance(asleep)
			if asleep > 5*time.Minute { // A sweep is never quicker than that.
				if _, err := fresh.Sweep(ctx, time.Minute, false); err != nil {
					t.Fatal(err)
				}
			}
			mustClaim(t, sleeper, index.Claim{Hash: hash(n), ID: "sleeper", Generation: 1})
			wantIDs(t, fmt.Sprintf("asleep for %v", asleep), mustLookup(t, fresh.View(), hash(n))[0], "sleeper")
		}
	}
}

// A process that stalls while finishing a change creates no documents of a layout that
// may be gone.
func TestFinisherFallsAsleep(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 1, 20)
	asleep := false
	slow := drivertest.Intercept(secrets, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
		if call.Method == drivertest.Put && call.Revision == "" && !asleep {
			asleep = true
			others := document(1).make(secrets, c.config())
			for _, fanout := range []int{4, 3} { // 4 is the one under way.
				if err := reshard(ctx, others, fanout); err != nil {
					t.Error(err)
				}
			}
			c.Advance(48 * time.Hour)
			if _, err := others.Sweep(ctx, time.Hour, false); err != nil {
				t.Error(err)
			}
		}
		return do(ctx)
	})
	if err := reshard(ctx, document(1).make(slow, c.config()), 4); err != nil {
		t.Fatalf("Reshard: %v", err)
	}
	checkFilled(t, secrets, c, 20, "afterwards")
	left := names(t, secrets)
	if len(left) > 1+3+1 { // Its one call that was under way.
		t.Errorf("left %q", left)
	}
}

// All writers that meet a seal may finish the change at the same time.
func TestManyFinishers(t *testing.T) {
	c := newClock()
	secrets := filled(t, c, 4, 30)
	dying := drivertest.Inject(secrets, drivertest.FailFrom(8, drivertest.Unreached))
	_ = reshard(ctx, document(1).make(dying, c.config()), 8)
	var workers sync.WaitGroup
	for w := range 8 {
		config := c.config()
		config.Sleep, config.Jitter = nil, nil
		x := document(1).make(secrets, config)
		workers.Go(func() {
			for n := 100; n < 110; n++ {
				if _, err := x.View().Claim(ctx, index.Claim{Hash: hash(n), ID: fmt.Sprint("w", w), Generation: 1}); err != nil {
					t.Errorf("Claim: %v", err)
				}
			}
		})
	}
	workers.Wait()
	checkFilled(t, secrets, c, 30, "afterwards")
	for n := 100; n < 110; n++ {
		if hints := mustLookup(t, document(1).make(secrets, c.config()).View(), hash(n))[0]; len(hints) != 8 {
			t.Errorf("key %d has %d hints, want 8", n, len(hints))
		}
	}
}

// If the service does not show the new documents yet, a process that sees the new root
// still finds every key.
func TestNewDocumentsNotShown(t *testing.T) {
	c := newClock()
	stored := filled(t, c, 1, 20)
	if err := reshard(ctx, document(1).make(stored, c.config()), 16); err != nil {
		t.Fatal(err)
	}
	hidden := map[string]int{}
	secrets := older(stored, func(name string) (driver.Secret, error, bool) {
		hidden[name]++
		return driver.Secret{}, driver.ErrNotFound, name != prefix+"root" && hidden[name] <= 3
	})
	checkFilled(t, secrets, c, 20, "at first")
}

// A seal is newer than a root that shows no change: the root is read again.
func TestOlderRoot(t *testing.T) {
	c := newClock()
	stored := filled(t, c, 16, 20)
	root, err := stored.Get(ctx, prefix+"root")
	if err != nil {
		t.Fatal(err)
	}
	x := document(1).make(stored, c.config())
	if err := reshard(ctx, x, 4); err != nil {
		t.Fatal(err)
	}
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "late", Generation: 1})
	reads := 0
	secrets := older(stored, func(name string) (driver.Secret, error, bool) {
		if name == root.Name {
			reads++
		}
		return root, nil, name == root.Name && reads <= 3
	})
	hints := mustLookup(t, document(1).make(secrets, c.config()).View(), hash(1))[0]
	wantIDs(t, "shown the old root three times", hints, userHash(1), "late")
}

// A view whose write has failed looks for the layout again.
func TestViewAfterFailure(t *testing.T) {
	c := newClock()
	stored := filled(t, c, 1, 20)
	x := document(1).make(drivertest.Inject(stored, drivertest.FailMethod(drivertest.Put, drivertest.Throttled)), c.config())
	v := x.View()
	if _, err := v.Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1}); !errors.Is(err, driver.ErrThrottled) {
		t.Fatalf("Claim: %v", err)
	}
	if err := reshard(ctx, document(1).make(stored, c.config()), 4); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "after a failure and a change of the fan-out", mustLookup(t, v, hash(1))[0], userHash(1))
}
