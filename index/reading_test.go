package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// nameOf returns the name of the secret that holds the only key.
func nameOf(t *testing.T, f form, secrets driver.Secrets) string {
	t.Helper()
	all := names(t, secrets)
	if f.name == "document-16" {
		return all[0]
	}
	return all[len(all)-1]
}

// Fields that a person or a later release has added to a secret survive its writes.
func TestUnknownFieldsSurvive(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		secrets := memory.New()
		x := f.make(secrets, newClock().config())
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		name := nameOf(t, f, secrets)
		unknown := `{"note":"<kept> \"as\" it is","other":{"a":[1,2.50]},`
		secrets.Edit(prefix+name, []byte(unknown+string(data(t, secrets, name)[1:])))
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
		mustRelease(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		for _, field := range []string{`"note":"<kept> \"as\" it is"`, `"other":{"a":[1,2.50]}`} {
			if !bytes.Contains(data(t, secrets, name), []byte(field)) {
				t.Errorf("%s is gone from %s", field, data(t, secrets, name))
			}
		}
		wantIDs(t, "hints", mustLookup(t, x.View(), hash(1))[0], "b")
	})
}

// A secret that cannot be parsed is named, and no claim overwrites it.
func TestUnreadable(t *testing.T) {
	broken := []string{"", "null", "[]", `"text"`, `{"generation":"x"}`, `{"@a":"1 !"}`, `{"@a":{"b":1}}`, `{"@a b":"1 2"}`, `{"@":"1 2"}`, "{"}
	inEachForm(t, func(t *testing.T, f form) {
		for _, text := range broken {
			secrets := memory.New()
			x := f.make(secrets, newClock().config())
			mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
			name := nameOf(t, f, secrets)
			secrets.Edit(prefix+name, []byte(text))
			_, err1 := x.View().Lookup(ctx, hash(1))
			_, err2 := x.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "b", Generation: 1})
			err3 := x.View().Release(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1})
			for _, err := range []error{err1, err2, err3} {
				if !errors.Is(err, driver.ErrUnreadable) || !strings.Contains(fmt.Sprint(err), prefix+name) {
					t.Errorf("%q: %v, want ErrUnreadable with the name", text, err)
				}
			}
			if got := data(t, secrets, name); string(got) != text {
				t.Errorf("%q was overwritten with %s", text, got)
			}
		}
	})
}

// Data in a form of a later release is refused with an error that names the form and
// does not advise deleting it.
func TestLaterForm(t *testing.T) {
	for value, want := range map[string]string{`"2"`: `"2"`, `2`: `"2"`, `"fake refresh token"`: "form", `{"a":"b"}`: "form"} {
		inEachForm(t, func(t *testing.T, f form) {
			secrets := memory.New()
			x := f.make(secrets, newClock().config())
			mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
			for _, name := range names(t, secrets) {
				stored := data(t, secrets, name)
				// This release does not understand the rest.
				later := fmt.Appendf(nil, `{"form":%s,"@a":{},"@b c":"?","epoch":"x"}`, value)
				secrets.Edit(prefix+name, later)
				y := f.make(secrets, newClock().config())
				_, err1 := y.View().Lookup(ctx, hash(1))
				_, err2 := y.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "b", Generation: 1})
				_, err3 := y.Stats(ctx)
				for _, err := range []error{err1, err2, err3} {
					if !errors.Is(err, driver.ErrUnreadable) || !strings.Contains(fmt.Sprint(err), prefix+name) || !strings.Contains(fmt.Sprint(err), want) {
						t.Errorf("%s: %v, want ErrUnreadable with the name and %s", value, err, want)
					} else if strings.Contains(err.Error(), "delete") || strings.Contains(err.Error(), "fake") {
						t.Errorf("%s: %v", value, err)
					}
				}
				if swept, err := y.Sweep(ctx, -time.Hour, false); swept != 0 {
					t.Errorf("%d swept, %v", swept, err)
				}
				if got := data(t, secrets, name); !bytes.Equal(got, later) {
					t.Errorf("%s was overwritten with %s", later, got)
				}
				secrets.Edit(prefix+name, bytes.Replace(stored, []byte("{"), []byte(`{"form":null,`), 1))
			}
			wantIDs(t, "without a form", mustLookup(t, f.make(secrets, newClock().config()).View(), hash(1))[0], "a")
		})
	}
}

// A clock before 1970, or after the latest time that can be stored, hides nothing.
func TestClockThatIsFarOff(t *testing.T) {
	for _, wrong := range []int64{-100, -1 << 40, 0, 1 << 55} {
		inEachForm(t, func(t *testing.T, f form) {
			secrets := memory.New()
			config := newClock().config()
			config.Now = func() time.Time { return time.Unix(wrong, 0) }
			for _, id := range []string{"a", "b"} {
				mustClaim(t, f.make(secrets, config).View(), index.Claim{Hash: hash(1), ID: id, Generation: driver.MaxNumber}, index.Claim{Hash: hash(2), ID: id, Generation: 0})
			}
			mustRelease(t, f.make(secrets, config).View(), index.Claim{Hash: hash(1), ID: "a", Generation: driver.MaxNumber})
			x := f.make(secrets, newClock().config())
			wantIDs(t, "after a release", mustLookup(t, x.View(), hash(1))[0], "b")
			wantIDs(t, "claimed", mustLookup(t, x.View(), hash(2))[0], "a", "b")
			mustClaim(t, x.View(), index.Claim{Hash: hash(2), ID: "a", Generation: 1})
			mustRelease(t, x.View(), index.Claim{Hash: hash(2), ID: "b", Generation: 0})
			wantIDs(t, "claimed again", mustLookup(t, f.make(secrets, config).View(), hash(2))[0], "a")
			if _, err := x.Stats(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Data written under a clock before 1970 can be read.
func TestNegativeTimes(t *testing.T) {
	secrets := memory.New()
	secrets.Edit(prefix+hash(1), []byte(`{"generation":"7","@a":"5 -100","@b":"5 -9000000000 1","written":"-100"}`))
	v := index.NewEntries(secrets, newClock().config()).View()
	wantIDs(t, "entry", mustLookup(t, v, hash(1))[0], "a", "b")
	hint := mustLookup(t, v, hash(1))[0][0]
	mustRelease(t, v, index.Claim{Hash: hash(1), ID: "a", Generation: 5, Claimed: hint.Claimed})
	wantIDs(t, "the other entry", mustLookup(t, index.NewEntries(secrets, newClock().config()).View(), hash(1))[0], "b")

	key := hash(1)[:16]
	secrets.Edit(prefix+"root", []byte(`{"epoch":"4","fanout":"1","@a":"5-9 `+key+`","writes":"-5:1"}`))
	v = index.NewDocument(secrets, newClock().config()).View()
	hint = mustLookup(t, v, hash(1))[0][0]
	mustClaim(t, v, index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	mustRelease(t, v, index.Claim{Hash: hash(1), ID: "a", Generation: 5, Claimed: hint.Claimed})
	wantIDs(t, "document", mustLookup(t, v, hash(1))[0], "b")
}

// If a service refuses to create a secret that it does not show, later calls do not wait
// for it again.
func TestHiddenSecrets(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		calls := 0
		secrets := drivertest.Intercept(memory.New(), func(_ context.Context, call drivertest.Call, _ func(context.Context) error) error {
			if calls++; call.Method == drivertest.Get {
				return driver.ErrNotFound
			}
			return driver.ErrConflict
		})
		x := f.make(secrets, newClock().config())
		_, err := x.View().Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		errs := []error{err}
		if f.name != "entries" {
			errs = append(errs, reshard(ctx, x, 2))
		}
		for _, err := range errs {
			if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrConflict) {
				t.Errorf("it ends with %v, want ErrUnavailable", err)
			}
		}
		if calls > 100*len(errs) {
			t.Errorf("%d calls", calls)
		}
	})
}

// A batch that shows none of the secrets has nothing removed, and nothing lost.
func TestBatchThatShowsNothing(t *testing.T) {
	const keys = 12
	for _, fanout := range []int{2, 5} {
		c := newClock()
		secrets := filled(t, c, fanout, keys)
		blind := &blindBatch{secrets}
		x := document(1).make(blind, c.config())
		c.Advance(48 * time.Hour)
		if _, err := x.Sweep(ctx, 0, false); err != nil {
			t.Fatal(err)
		}
		checkFilled(t, secrets, c, keys, "after a sweep")
		if err := reshard(ctx, x, 3); err != nil {
			t.Fatal(err)
		}
		checkFilled(t, secrets, c, keys, "after a change of the fan-out")
		c.Advance(48 * time.Hour)
		if swept, err := x.Sweep(ctx, time.Hour, false); err != nil || swept != fanout {
			t.Errorf("%d swept, %v; want %d", swept, err, fanout)
		}
		checkFilled(t, secrets, c, keys, "after the sweep of the old documents")
	}
	c, secrets := newClock(), memory.New()
	mustClaim(t, index.NewEntries(secrets, c.config()).View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1}, index.Claim{Hash: hash(2), ID: "a", Generation: 1})
	c.Advance(48 * time.Hour)
	x := index.NewEntries(&blindBatch{secrets}, c.config())
	if swept, err := x.Sweep(ctx, 0, false); err != nil || swept != 0 {
		t.Errorf("%d swept, %v", swept, err)
	}
	wantIDs(t, "an entry", mustLookup(t, x.View(), hash(1))[0], "a")
}

type blindBatch struct{ driver.Secrets }

func (*blindBatch) GetBatch(context.Context, []string) ([]driver.Secret, error) { return nil, nil }

// Numbers count as their decimal strings, and null as absent.
func TestLenientReading(t *testing.T) {
	secrets := memory.New()
	secrets.Edit(prefix+hash(1), []byte(`{"generation": 7, "@a": " 5  9 1 ", "@b": 3, "written": null}`))
	v := index.NewEntries(secrets, newClock().config()).View()
	wantIDs(t, "entry", mustLookup(t, v, hash(1))[0], "b", "a")

	key := hash(1)[:16]
	secrets.Edit(prefix+"root", []byte(`{"epoch": 4, "fanout": 1, "@a": "5+4  `+key+`.1 ;; 6 `+hash(2)+`", "@b": "1 `+key+`", "writes": "?"}`))
	v = index.NewDocument(secrets, newClock().config()).View()
	hints := mustLookup(t, v, hash(1), hash(2))
	wantIDs(t, "document", hints[0], "b", "a")
	wantIDs(t, "a hash in full", hints[1], "a")
	if h := hints[0][1]; h.Generation != 5 || h.Claimed.Unix() != 9 {
		t.Errorf("hint %v", h)
	}
	mustClaim(t, v, index.Claim{Hash: hash(1), ID: "c", Generation: 1})
	if got := string(data(t, secrets, "root")); !strings.Contains(got, `"generation":"1800000000"`) {
		t.Errorf("%s, want a generation from the clock", got)
	}
}

// older returns secrets whose reads return the result of shown, unless that is empty,
// instead of the stored data.
func older(secrets driver.Secrets, shown func(name string) (driver.Secret, error, bool)) driver.Secrets {
	return &olderSecrets{secrets, shown}
}

type olderSecrets struct {
	driver.Secrets
	shown func(name string) (driver.Secret, error, bool)
}

func (s *olderSecrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	if secret, err, ok := s.shown(name); ok {
		return secret, err
	}
	return s.Secrets.Get(ctx, name)
}

// No reader goes backwards: an older state is read again for a while.
func TestOlderState(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		c := newClock()
		stored := memory.New()
		times := 0
		var old driver.Secret
		secrets := older(stored, func(name string) (driver.Secret, error, bool) {
			times--
			if name != old.Name || times < 0 {
				return driver.Secret{}, nil, false
			}
			if old.Revision == "" {
				return driver.Secret{}, driver.ErrNotFound, true
			}
			return old, nil, true
		})
		sleeps := 0
		config := c.config()
		config.Sleep = func(ctx context.Context, _ time.Duration) error { sleeps++; return ctx.Err() }
		x := f.make(secrets, config)
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		name := prefix + nameOf(t, f, stored)
		state, err := stored.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})

		old, times = state, 3
		wantIDs(t, "shown older three times", mustLookup(t, x.View(), hash(1))[0], "a", "b")
		if sleeps == 0 {
			t.Error("no wait between the reads")
		}
		times = 1 << 30
		if _, err := x.View().Lookup(ctx, hash(1)); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), name) {
			t.Errorf("shown older for good: %v, want ErrUnavailable with the name", err)
		}
		other := f.make(secrets, c.config())
		wantIDs(t, "a process that has not seen the newer state", mustLookup(t, other.View(), hash(1))[0], "a")

		old.Revision, times = "", 3
		wantIDs(t, "not shown three times", mustLookup(t, x.View(), hash(1))[0], "a", "b")

		// Somebody has put the old version back.
		stored.Edit(name, state.Data)
		times = 0
		if _, err := x.View().Lookup(ctx, hash(1)); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("put back: %v, want ErrUnavailable", err)
		}
		c.Advance(time.Hour)
		wantIDs(t, "put back an hour ago", mustLookup(t, x.View(), hash(1))[0], "a")
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "c", Generation: 1})
		wantIDs(t, "and written", mustLookup(t, x.View(), hash(1))[0], "a", "c")
	})
}

// A secret that is gone counts as gone after some reads, and is created again.
func TestLostSecrets(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		c := newClock()
		secrets := memory.New()
		x, y := f.make(secrets, c.config()), f.make(secrets, c.config())
		for i := range 40 {
			mustClaim(t, x.View(), index.Claim{Hash: hash(i), ID: "a", Generation: 1})
		}
		mustLookup(t, y.View(), hash(1))
		for _, name := range names(t, secrets) {
			secrets.Remove(prefix + name)
		}
		c.Advance(time.Minute)
		wantIDs(t, "lost", mustLookup(t, x.View(), hash(1))[0])
		mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
		wantIDs(t, "claimed again", mustLookup(t, x.View(), hash(1))[0], "b")
		wantIDs(t, "claimed again, by another", mustLookup(t, y.View(), hash(1))[0], "b")
		mustClaim(t, y.View(), index.Claim{Hash: hash(2), ID: "b", Generation: 1})
		wantIDs(t, "claimed by another", mustLookup(t, x.View(), hash(2))[0], "b")
	})
}

// A writer that always meets a conflict gives up, with jittered waits in between.
func TestConflictsAreBounded(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		c := newClock()
		stored := memory.New()
		rival := f.make(stored, c.config())
		secrets := drivertest.Intercept(stored, func(ctx context.Context, call drivertest.Call, do func(context.Context) error) error {
			if call.Method == drivertest.Put {
				mustClaim(t, rival.View(), index.Claim{Hash: hash(1), ID: "rival", Generation: 1})
			}
			return do(ctx)
		})
		var waits []time.Duration
		config := c.config()
		config.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
		_, err := f.make(secrets, config).View().Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1})
		if !errors.Is(err, driver.ErrConflict) {
			t.Errorf("Claim: %v, want ErrConflict", err)
		}
		if len(waits) < 10 || len(waits) > 100 || waits[0] >= waits[5] {
			t.Errorf("waits %v", waits)
		}
	})
}

// Faults and cancelled contexts come back as they are, and the view can go on.
func TestFaults(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		for call := 1; call <= 6; call++ {
			for _, outcome := range []drivertest.Outcome{drivertest.Unreached, drivertest.LoseReply, drivertest.Throttled} {
				c := newClock()
				stored := memory.New()
				x := f.make(drivertest.Inject(stored, drivertest.FailCall(call, outcome)), c.config())
				v := x.View()
				for range 2 {
					if _, err := v.Claim(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1}, index.Claim{Hash: hash(2), ID: "a", Generation: 1}); err == nil {
						break
					} else if !errors.Is(err, errors.Unwrap(outcome.Err)) {
						t.Errorf("Claim: %v, want %v", err, outcome.Err)
					}
				}
				for range 2 {
					if err := v.Release(ctx, index.Claim{Hash: hash(1), ID: "a", Generation: 1}); err == nil {
						break
					}
				}
				hints := mustLookup(t, f.make(stored, c.config()).View(), hash(1), hash(2))
				wantIDs(t, "released", hints[0])
				wantIDs(t, "claimed", hints[1], "a")
			}
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		x := f.make(memory.New(), index.Config{Prefix: prefix})
		if _, err := x.View().Claim(cancelled, index.Claim{Hash: hash(1), ID: "a", Generation: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("Claim: %v, want the context's error", err)
		}
		if _, err := x.View().Lookup(cancelled, hash(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("Lookup: %v, want the context's error", err)
		}
	})
}

func TestInvalidArguments(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		secrets, counts := drivertest.Count(memory.New())
		v := f.make(secrets, newClock().config()).View()
		for _, c := range []index.Claim{
			{Hash: "", ID: "a", Generation: 1}, {Hash: "../x", ID: "a", Generation: 1}, {Hash: hash(1) + "a", ID: "a", Generation: 1}, {Hash: strings.ToUpper(hash(1)), ID: "a", Generation: 1},
			{Hash: hash(1), ID: "", Generation: 1}, {Hash: hash(1), ID: "a/b", Generation: 1}, {Hash: hash(1), ID: strings.Repeat("a", 129), Generation: 1}, {Hash: hash(1), ID: "a", Generation: -1}, {Hash: hash(1), ID: "a", Generation: 1 << 60},
		} {
			if _, err := v.Claim(ctx, c); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Claim(%v): %v, want ErrInvalid", c, err)
			}
			if err := v.Release(ctx, c); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Release(%v): %v, want ErrInvalid", c, err)
			}
		}
		if _, err := v.Lookup(ctx, "x"); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Lookup: %v, want ErrInvalid", err)
		}
		if counts.Total() != 0 {
			t.Errorf("%v, want no calls", counts)
		}
		if hints, err := v.Lookup(ctx); err != nil || len(hints) != 0 {
			t.Errorf("Lookup of nothing: %v, %v", hints, err)
		}
		if others, err := v.Claim(ctx); err != nil || len(others) != 0 {
			t.Errorf("Claim of nothing: %v, %v", others, err)
		}
	})
	for _, fanout := range []int{0, -1, index.MaxFanout + 1} {
		if err := reshard(ctx, document(1).make(memory.New(), newClock().config()), fanout); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Reshard(%d): %v, want ErrInvalid", fanout, err)
		}
	}
}

// An ID may be any word, also one that names a field.
func TestIDsThatNameFields(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		secrets := memory.New()
		x := f.make(secrets, newClock().config())
		words := []string{"generation", "epoch", "fanout", "next", "sealed", "writes", "written", "driver_x", "id", "form"}
		for _, id := range words {
			mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: id, Generation: 1})
		}
		wantIDs(t, "hints", mustLookup(t, f.make(secrets, newClock().config()).View(), hash(1))[0], words...)
	})
}

// When only the root is lost, the next repair leads processes that remember the old
// layout to the new one.
func TestLostRoot(t *testing.T) {
	c := newClock()
	secrets := memory.New()
	x, y := document(16).make(secrets, c.config()), document(16).make(secrets, c.config())
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	mustLookup(t, y.View(), hash(1))
	secrets.Remove(prefix + "root")
	c.Advance(time.Minute)
	z := document(16).make(secrets, c.config())
	mustClaim(t, z.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	wantIDs(t, "a process that remembers the old layout", mustLookup(t, y.View(), hash(1))[0], "a")
	sweepWants(t, z, time.Hour, true, 0)
	sweepWants(t, z, time.Hour, false, 0)
	for _, who := range []index.Index{x, y} {
		wantIDs(t, "after the repair", mustLookup(t, who.View(), hash(1))[0], "b")
		mustClaim(t, who.View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	}
	c.Advance(2 * time.Hour)
	sweepWants(t, z, time.Hour, false, 1)
	wantIDs(t, "after the sweep", mustLookup(t, x.View(), hash(1))[0], "b")
}

// Even without a repair, no process relies on a remembered layout for more than an hour.
func TestRememberedLayoutEnds(t *testing.T) {
	c := newClock()
	secrets := memory.New()
	x := document(16).make(secrets, c.config())
	mustClaim(t, x.View(), index.Claim{Hash: hash(1), ID: "a", Generation: 1})
	secrets.Remove(prefix + "root")
	c.Advance(time.Minute)
	mustClaim(t, document(16).make(secrets, c.config()).View(), index.Claim{Hash: hash(1), ID: "b", Generation: 1})
	wantIDs(t, "a minute later", mustLookup(t, x.View(), hash(1))[0], "a")
	c.Advance(time.Hour)
	wantIDs(t, "an hour later", mustLookup(t, x.View(), hash(1))[0], "b")
}
