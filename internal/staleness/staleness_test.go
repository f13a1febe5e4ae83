// No state that a service may still return after a write is taken for a later one.

package staleness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore/driver"
)

// TestOrder compares what is read with what was seen, at once and once the
// service cannot be stale any more.
func TestOrder(t *testing.T) {
	counted := func(revision string, n int64) State { return State{Revision: revision, Generation: n} }
	pasted := State{Revision: "p", Generation: 9, Uncounted: true}
	gone, tombstone := State{Empty: true}, State{Revision: "t", Generation: 6, Empty: true}
	for _, c := range []struct {
		name        string
		seen, read  State
		soon, later Order
	}{
		{"the same", counted("a", 5), counted("a", 5), Fresh, Fresh},
		{"the next", counted("a", 5), counted("b", 6), Fresh, Fresh},
		{"one before", counted("b", 6), counted("a", 5), Older, Older},
		{"an edit", counted("a", 5), counted("e", 5), Doubtful, Fresh},
		{"a paste", counted("a", 5), pasted, Doubtful, Fresh},
		{"the same paste", pasted, pasted, Fresh, Fresh},
		{"one after a paste", pasted, counted("b", 10), Doubtful, Fresh},
		{"one before a paste", pasted, counted("a", 5), Doubtful, Fresh},
		{"gone", counted("a", 5), gone, Doubtful, Fresh},
		{"a tombstone that is gone", tombstone, gone, Fresh, Fresh},
		{"a token before its tombstone", tombstone, counted("a", 5), Older, Older},
	} {
		for after, want := range map[time.Duration]Order{0: c.soon, Patience: c.later} {
			now := time.Unix(1_700_000_000, 0)
			m := NewMemory(func() time.Time { return now })
			m.Wrote("x", c.seen)
			now = now.Add(after)
			if got, _ := m.See("x", c.read, now); got != want {
				t.Errorf("%s, %v later: order %d, want %d", c.name, after, got, want)
			}
		}
	}
}

// TestGenerationOutlastsTheSecret has a secret go and come again.
func TestGenerationOutlastsTheSecret(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := NewMemory(func() time.Time { return now })
	m.Wrote("x", State{Revision: "a", Generation: 5})
	m.Removed("x", "a")
	if order, _ := m.See("x", State{Empty: true}, now); order != Fresh || m.Generation("x") != 5 {
		t.Errorf("order %d of what was removed, generation %d", order, m.Generation("x"))
	}
	if order, _ := m.See("x", State{Revision: "a", Generation: 5}, now); order != Doubtful {
		t.Errorf("order %d of the state before the removal", order)
	}
	// It may be one from before that this process has missed.
	if order, _ := m.See("x", State{Revision: "b", Generation: 6}, now); order != Doubtful {
		t.Errorf("order %d of a later state, at once", order)
	}
	now = now.Add(Patience)
	if order, _ := m.See("x", State{Revision: "c", Generation: 7}, now); order != Fresh {
		t.Errorf("order %d of one that was made again", order)
	}
}

// TestExpectedSecretIsDoubtedWhileItIsMissing expects a secret that nobody has
// read, and finds it late.
func TestExpectedSecretIsDoubtedWhileItIsMissing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := NewMemory(func() time.Time { return now })
	m.Expect("x")
	if order, _ := m.See("x", State{Empty: true}, now); order != Doubtful {
		t.Errorf("order %d of a missing secret", order)
	}
	if order, _ := m.See("x", State{Revision: "a", Generation: 1}, now); order != Fresh {
		t.Errorf("order %d of the secret", order)
	}
}

// TestSlowAnswerShowsWhatWasThere has the answer to a read come long after the
// process has written the secret.
func TestSlowAnswerShowsWhatWasThere(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := NewMemory(func() time.Time { return now })
	asked := now
	m.Wrote("x", State{Revision: "a", Generation: 5})
	now = now.Add(2 * Patience)
	if order, _ := m.See("x", State{Empty: true}, asked); order != Doubtful {
		t.Errorf("order %d of what was read before the write", order)
	}
}

// reader returns a Reader of the generations of secrets that a clock which never
// moves has seen, over secrets whose Get is given.
func reader(m *Memory, get func(name string) (driver.Secret, error)) *Reader[State] {
	now := time.Unix(1_700_000_000, 0)
	return &Reader[State]{
		Secrets: getter{get: get},
		Now:     func() time.Time { return now },
		Sleep:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Decode: func(secret driver.Secret, fault error) (State, error) {
			return State{Revision: secret.Revision, Generation: int64(len(secret.Data))}, fault
		},
		See: func(s State, asked time.Time) (Order, Sighting) { return m.See("x", s, asked) },
		Accept: func(_ context.Context, s State, _ Order, before Sighting) (bool, error) {
			return m.Accept("x", s, before), nil
		},
	}
}

type getter struct {
	driver.Secrets
	get   func(name string) (driver.Secret, error)
	batch func(names []string) ([]driver.Secret, error)
}

func (g getter) Get(_ context.Context, name string) (driver.Secret, error) { return g.get(name) }

func (g getter) GetBatch(_ context.Context, names []string) ([]driver.Secret, error) {
	return g.batch(names)
}

// TestReadEnds lets a later state be seen again and again while the service shows
// an older one.
func TestReadEnds(t *testing.T) {
	m := NewMemory(func() time.Time { return time.Unix(1_700_000_000, 0) })
	m.Wrote("x", State{Revision: "b", Generation: 6})
	n, slept := int64(6), time.Duration(0)
	r := reader(m, func(string) (driver.Secret, error) { return driver.Secret{Revision: "a", Data: make([]byte, 5)}, nil })
	r.Sleep = func(ctx context.Context, d time.Duration) error { slept += d; return ctx.Err() }
	r.Accept = func(_ context.Context, s State, _ Order, before Sighting) (bool, error) {
		n++
		m.Wrote("x", State{Revision: "c", Generation: n})
		return m.Accept("x", s, before), nil
	}
	if _, err := r.Read(t.Context(), "x"); !errors.Is(err, ErrBehind) || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("it ends with %v", err)
	}
	if want := maxRounds * (Patience - firstWait); slept != want {
		t.Errorf("it has waited for %v, want %v", slept, want)
	}
}

// TestOnlyAnswersAboutASecretCount has a batch fail in several ways. A secret that
// it has not named is read by itself; one that it has named is not.
func TestOnlyAnswersAboutASecretCount(t *testing.T) {
	refused := errors.New("the call was refused")
	for _, c := range []struct {
		name   string
		stored []string // in the batch's answer
		err    error
		want   error
		singly []string
	}{
		{"no error", []string{"a"}, nil, nil, nil},
		{"one is named", []string{"a"}, errors.Join(&driver.NameError{Name: "b", Err: driver.ErrNotFound}), nil, nil},
		{"one is named, not joined", []string{"a"}, &driver.NameError{Name: "b", Err: driver.ErrNotFound}, nil, nil},
		{"not found as a whole", nil, fmt.Errorf("%w: %w", driver.ErrNotFound, refused), nil, []string{"a", "b", "c"}},
		{"not found in part", []string{"a"}, errors.Join(&driver.NameError{Name: "b", Err: driver.ErrNotFound}, driver.ErrNotFound), nil, []string{"c"}},
		{"no container", nil, driver.ErrNoContainer, driver.ErrNoContainer, nil},
		{"throttled in part", []string{"a"}, errors.Join(&driver.NameError{Name: "b", Err: driver.ErrNotFound}, driver.ErrThrottled), driver.ErrThrottled, nil},
		{"one is denied", []string{"a"}, errors.Join(&driver.NameError{Name: "b", Err: driver.ErrDenied}), driver.ErrDenied, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var singly []string
			r := reader(NewMemory(time.Now), func(name string) (driver.Secret, error) {
				singly = append(singly, name)
				return driver.Secret{Name: name, Revision: "1"}, nil
			})
			r.See = func(State, time.Time) (Order, Sighting) { return Fresh, Sighting{} }
			r.Batch = getter{batch: func([]string) (secrets []driver.Secret, err error) {
				for _, name := range c.stored {
					secrets = append(secrets, driver.Secret{Name: name, Revision: "1"})
				}
				return secrets, c.err
			}}
			values, err := r.ReadMany(t.Context(), []string{"a", "b", "c"})
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if !slices.Equal(singly, c.singly) {
				t.Errorf("%q are read by themselves, want %q", singly, c.singly)
			}
			for i, v := range values {
				name := string(rune('a' + i))
				if stored := slices.Contains(c.stored, name) || slices.Contains(c.singly, name); (v.Revision != "") != stored {
					t.Errorf("%s: revision %q", name, v.Revision)
				}
			}
		})
	}
}
