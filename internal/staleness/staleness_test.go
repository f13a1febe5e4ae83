// No state that a service may still return after a write is taken for a later one.

package staleness

import (
	"context"
	"errors"
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
		for after, want := range map[time.Duration]Order{0: c.soon, patience: c.later} {
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
	now = now.Add(patience)
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
	now = now.Add(2 * patience)
	if order, _ := m.See("x", State{Empty: true}, asked); order != Doubtful {
		t.Errorf("order %d of what was read before the write", order)
	}
}

// TestCatchUpEnds lets a later state be seen again and again while the service
// shows an older one.
func TestCatchUpEnds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := NewMemory(func() time.Time { return now })
	m.Wrote("x", State{Revision: "b", Generation: 6})
	old, n, slept := State{Revision: "a", Generation: 5}, int64(6), time.Duration(0)
	err := CatchUp(t.Context(),
		func(ctx context.Context, d time.Duration) error { slept += d; return ctx.Err() },
		func(context.Context) (Order, Sighting, error) {
			order, seen := m.See("x", old, now)
			return order, seen, nil
		},
		func(_ Order, before Sighting) (bool, error) {
			n++
			m.Wrote("x", State{Revision: "c", Generation: n})
			return m.Accept("x", old, before), nil
		})
	if !errors.Is(err, ErrBehind) || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("it ends with %v", err)
	}
	if want := maxRounds * (patience - firstWait); slept != want {
		t.Errorf("it has waited for %v, want %v", slept, want)
	}
}
