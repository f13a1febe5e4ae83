package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

var ctx = context.Background()

func put(t *testing.T, s driver.Secrets, name, data, revision string) string {
	t.Helper()
	revision, err := s.Put(ctx, driver.Secret{Name: name, Data: []byte(data), Revision: revision})
	if err != nil {
		t.Fatalf("Put(%q): %v", name, err)
	}
	return revision
}

// data returns what Get shows: the data, or "-" for not found.
func data(t *testing.T, s driver.Secrets, name string) string {
	t.Helper()
	got, err := s.Get(ctx, name)
	if errors.Is(err, driver.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatalf("Get(%q): %v", name, err)
	}
	return string(got.Data)
}

func names(t *testing.T, s driver.Secrets, prefix string) []string {
	t.Helper()
	var all []string
	for name, err := range s.List(ctx, prefix) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// retiring adds driver.Retirer to a driver.
type retiring struct{ driver.Secrets }

func (r retiring) Retire(context.Context, string, string) error { return nil }
func (r retiring) RetireWindow() time.Duration                  { return time.Minute }
func (r retiring) Unwrap() driver.Secrets                       { return r.Secrets }

func TestWrappersShowTheAbilitiesOfTheDriver(t *testing.T) {
	wrap := map[string]func(driver.Secrets) driver.Secrets{
		"count": func(s driver.Secrets) driver.Secrets { s, _ = drivertest.Count(s); return s },
		"stale": func(s driver.Secrets) driver.Secrets { return drivertest.Stale(s, drivertest.Staleness{}) },
		"freeze": func(s driver.Secrets) driver.Secrets {
			s, _ = drivertest.Freeze(s)
			return s
		},
		"gate": func(s driver.Secrets) driver.Secrets { return drivertest.NewGate().Wrap("p", s) },
	}
	limits := driver.Limits{MaxSize: 7}
	for what, f := range wrap {
		for _, batch := range []bool{false, true} {
			for _, retire := range []bool{false, true} {
				var s driver.Secrets = memory.New(memory.WithLimits(limits))
				if batch {
					s = memory.New(memory.WithLimits(limits)).Batched()
				}
				if retire {
					s = retiring{s}
				}
				s = f(s)
				_, hasBatch := driver.As[driver.BatchGetter](s)
				r, hasRetire := driver.As[driver.Retirer](s)
				limited, ok := driver.As[driver.Limited](s)
				if hasBatch != batch || hasRetire != retire || !ok || limited.Limits() != limits {
					t.Errorf("%s: batch %v, want %v; retire %v, want %v; limited %v", what, hasBatch, batch, hasRetire, retire, ok)
				}
				if hasRetire && r.RetireWindow() != time.Minute {
					t.Errorf("%s: the retire window is not the driver's", what)
				}
			}
		}
	}
}

func TestCount(t *testing.T) {
	s, counts := drivertest.Count(memory.New().Batched())
	r := put(t, s, "a", `{}`, "")
	data(t, s, "a")
	data(t, s, "missing")
	names(t, s, "")
	batch, _ := driver.As[driver.BatchGetter](s)
	if _, err := batch.GetBatch(ctx, []string{"a", "b", "c"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "a", r); err != nil {
		t.Fatal(err)
	}
	if got, want := counts.String(), "Delete 1, Get 2, GetBatch 1 (3 secrets), List 1, Put 1"; got != want {
		t.Errorf("counts: %s, want %s", got, want)
	}
	if counts.Reads() != 4 || counts.Writes() != 2 || counts.Total() != 6 || counts.Of(drivertest.Get) != 2 || counts.BatchSecrets() != 3 {
		t.Errorf("sums are wrong: %d reads, %d writes, %d in all", counts.Reads(), counts.Writes(), counts.Total())
	}
	counts.Reset()
	if counts.Total() != 0 || counts.String() != "no calls" {
		t.Error("Reset does not reset")
	}
}

func TestInject(t *testing.T) {
	m := memory.New()
	lost := drivertest.Inject(m, drivertest.FailMethod(drivertest.Put, drivertest.LoseReply))
	if r, err := lost.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{}`)}); !errors.Is(err, driver.ErrUnavailable) || r != "" {
		t.Errorf("lost reply: %q, %v", r, err)
	}
	if data(t, m, "a") != "{}" {
		t.Error("a call whose reply was lost was not carried out")
	}
	before := drivertest.Inject(m, drivertest.FailCall(1, drivertest.Throttled))
	if _, err := before.Put(ctx, driver.Secret{Name: "b", Data: []byte(`{}`)}); !errors.Is(err, driver.ErrThrottled) {
		t.Errorf("throttled: %v", err)
	}
	if data(t, m, "b") != "-" {
		t.Error("a call that was refused was carried out")
	}
	put(t, before, "b", `{}`, "")
}

func TestInjectGoneProcess(t *testing.T) {
	m := memory.New()
	dead := drivertest.Inject(m, drivertest.FailFrom(2, drivertest.LoseReply))
	put(t, dead, "a", `{}`, "")
	for _, name := range []string{"b", "c"} {
		if _, err := dead.Put(ctx, driver.Secret{Name: name, Data: []byte(`{}`)}); err == nil {
			t.Errorf("call for %s succeeded", name)
		}
	}
	if got := names(t, m, ""); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %q, want a and b", got)
	}
}

func TestInjectList(t *testing.T) {
	m := memory.New()
	put(t, m, "a", `{}`, "")
	list := func(o drivertest.Outcome) (names []string, last error) {
		for name, err := range drivertest.Inject(m, drivertest.FailMethod(drivertest.List, o)).List(ctx, "") {
			if last = err; err == nil {
				names = append(names, name)
			}
		}
		return names, last
	}
	if names, err := list(drivertest.Unreached); len(names) != 0 || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("before: %q, %v", names, err)
	}
	if names, err := list(drivertest.LoseReply); len(names) != 1 || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("after: %q, %v", names, err)
	}
}

func TestDelay(t *testing.T) {
	var slept time.Duration
	sleep := func(ctx context.Context, d time.Duration) error { slept += d; return ctx.Err() }
	s := drivertest.Delay(memory.New(), func(c drivertest.Call) time.Duration {
		return time.Duration(c.Number) * time.Hour
	}, sleep)
	put(t, s, "a", `{}`, "")
	data(t, s, "a")
	if slept != 3*time.Hour {
		t.Errorf("slept %v, want 3h", slept)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Get(cancelled, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled sleep gives %v", err)
	}
}

func TestStaleByReads(t *testing.T) {
	m := memory.New().Batched()
	s := drivertest.Stale(m, drivertest.Staleness{Reads: 2})
	r := put(t, s, "a", `{"n":"1"}`, "")
	r2 := put(t, s, "a", `{"n":"2"}`, r)
	got := []string{data(t, s, "a"), data(t, s, "a"), data(t, s, "a")}
	if want := []string{"-", "-", `{"n":"2"}`}; !slices.Equal(got, want) {
		t.Errorf("reads show %s, want %s", got, want)
	}
	if _, err := s.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{}`), Revision: r}); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("a write decided on an older state: %v", err)
	}
	if err := s.Delete(ctx, "a", r2); err != nil {
		t.Fatal(err)
	}
	batch, _ := driver.As[driver.BatchGetter](s)
	old, err := batch.GetBatch(ctx, []string{"a", "a"})
	if err != nil || len(old) != 1 || old[0].Revision != r2 {
		t.Errorf("a batch read after the deletion shows %v, %v", old, err)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"a"}) {
		t.Errorf("a list after the deletion shows %q", got)
	}
	if got := names(t, s, ""); len(got) != 0 {
		t.Errorf("the deletion is never listed: %q", got)
	}
	put(t, s, "a", `{"n":"3"}`, "")
	if got := names(t, s, ""); len(got) != 0 {
		t.Errorf("a list right after the creation shows %q", got)
	}
}

func TestStaleWithFreshLists(t *testing.T) {
	s := drivertest.Stale(memory.New(), drivertest.Staleness{Reads: 2, FreshLists: true})
	put(t, s, "a", `{}`, "")
	if got := names(t, s, ""); !slices.Equal(got, []string{"a"}) {
		t.Errorf("a fresh list shows %q", got)
	}
	if got := data(t, s, "a"); got != "-" {
		t.Errorf("a stale read beside it shows %s", got)
	}
}

func TestStaleByTimeAndChoice(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	back := 1
	s := drivertest.Stale(memory.New(), drivertest.Staleness{
		For:    time.Minute,
		Clock:  func() time.Time { return now },
		Choose: func(string, int) int { return back },
	})
	r := put(t, s, "a", `{"n":"1"}`, "")
	put(t, s, "a", `{"n":"2"}`, r)
	for b, want := range []string{`{"n":"2"}`, `{"n":"1"}`, "-", "-"} {
		back = b
		if got := data(t, s, "a"); got != want {
			t.Errorf("%d back: %s, want %s", b, got, want)
		}
	}
	now = now.Add(time.Minute)
	if got := data(t, s, "a"); got != `{"n":"2"}` {
		t.Errorf("after a minute: %s", got)
	}
}

// TestGate replays all interleavings of two read-modify-writes by name and
// finds that one of them loses unless it compares.
func TestGate(t *testing.T) {
	run := func(choices []int) (order string, left string) {
		m := memory.New()
		put(t, m, "a", `{}`, "")
		gate := drivertest.NewGate()
		done := make(chan string)
		for _, process := range []string{"p", "q"} {
			s := gate.Wrap(process, m)
			go func() {
				got, _ := s.Get(ctx, "a")
				_, _ = s.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{"by":"` + process + `"}`), Revision: got.Revision})
				done <- process
			}()
		}
		waiting := map[string]*drivertest.Arrival{}
		for alive := 2; alive > 0; {
			for len(waiting) < alive {
				select {
				case a := <-gate.Arrivals():
					waiting[a.Process] = a
				case <-done:
					alive--
				}
			}
			if alive == 0 {
				break
			}
			next := []string{"p", "q"}[choices[0]]
			choices = choices[1:]
			if waiting[next] == nil {
				next = map[string]string{"p": "q", "q": "p"}[next]
			}
			order += next + string(waiting[next].Method) + " "
			waiting[next].Allow()
			delete(waiting, next)
		}
		return order, data(t, m, "a")
	}
	for choices, want := range map[[4]int][2]string{
		{0, 0, 1, 1}: {"pGet pPut qGet qPut ", `{"by":"q"}`},
		{0, 1, 0, 1}: {"pGet qGet pPut qPut ", `{"by":"p"}`},
		{0, 1, 1, 0}: {"pGet qGet qPut pPut ", `{"by":"q"}`},
		{1, 1, 0, 0}: {"qGet qPut pGet pPut ", `{"by":"p"}`},
	} {
		for range 20 {
			if order, left := run(choices[:]); order != want[0] || left != want[1] {
				t.Fatalf("choices %v: %s leaves %s, want %s, %s", choices, order, left, want[0], want[1])
			}
		}
	}
}

func TestGateDeniesAndLosesReplies(t *testing.T) {
	m := memory.New()
	gate := drivertest.NewGate()
	s := gate.Wrap("p", m)
	gone := errors.New("gone")
	errs := make(chan error)
	write := func(name string) {
		_, err := s.Put(ctx, driver.Secret{Name: name, Data: []byte(`{}`)})
		errs <- err
	}
	go write("a")
	(<-gate.Arrivals()).Deny(gone)
	if err := <-errs; !errors.Is(err, gone) {
		t.Errorf("denied: %v", err)
	}
	go write("b")
	(<-gate.Arrivals()).LoseReply(gone)
	if err := <-errs; !errors.Is(err, gone) {
		t.Errorf("reply lost: %v", err)
	}
	if got := names(t, m, ""); !slices.Equal(got, []string{"b"}) {
		t.Errorf("stored %q, want b only", got)
	}
	cancelled, cancel := context.WithCancel(ctx)
	go func() { _, err := s.Get(cancelled, "b"); errs <- err }()
	a := <-gate.Arrivals()
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled at the gate: %v", err)
	}
	a.Allow() // does not hang
}

func TestGateEndsAListBeforeItsCallerGoesOn(t *testing.T) {
	m := memory.New()
	put(t, m, "a", `{}`, "")
	put(t, m, "b", `{}`, "")
	gate := drivertest.NewGate()
	s := gate.Wrap("p", m)
	done := make(chan bool)
	go func() {
		defer close(done)
		for name := range s.List(ctx, "") {
			_, _ = s.Get(ctx, name)
		}
	}()
	for _, want := range []drivertest.Method{drivertest.List, drivertest.Get, drivertest.Get} {
		a := <-gate.Arrivals()
		if a.Method != want {
			t.Errorf("arrival of %s, want %s", a.Method, want)
		}
		a.Allow()
	}
	<-done
}

func TestWrappersAreSafeForConcurrentUse(t *testing.T) {
	s, counts := drivertest.Count(drivertest.Stale(memory.New(), drivertest.Staleness{Reads: 1}))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			name := fmt.Sprintf("n%d", i%2)
			for range 50 {
				got, _ := s.Get(ctx, name)
				_, _ = s.Put(ctx, driver.Secret{Name: name, Data: []byte(`{}`), Revision: got.Revision})
			}
		})
	}
	group.Wait()
	if counts.Total() != 800 {
		t.Errorf("%d calls counted, want 800", counts.Total())
	}
}

func ExampleInject() {
	secrets, counts := drivertest.Count(memory.New())
	secrets = drivertest.Inject(secrets, drivertest.FailCall(1, drivertest.LoseReply))
	ctx := context.Background()
	_, err := secrets.Put(ctx, driver.Secret{Name: "a", Data: []byte(`{}`)})
	fmt.Println(err)
	_, err = secrets.Get(ctx, "a")
	fmt.Println(err, "-", counts)
	// Output:
	// unavailable (injected, reply lost)
	// <nil> - Get 1, Put 1
}
