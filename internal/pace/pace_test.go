// The pace of writes, in simulated time.

package pace_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/pace"
	"example.com/tokenstore/internal/parallel"
	"example.com/tokenstore/internal/pause"
)

// service allows some writes in each second of the clock.
type service struct {
	limit     int
	mu        sync.Mutex
	seconds   map[int64]int
	refused   int
	committed int
}

func (s *service) write() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	second := time.Now().Unix()
	if s.seconds == nil {
		s.seconds = map[int64]int{}
	}
	if s.seconds[second]++; s.seconds[second] > s.limit {
		s.refused++
		return fmt.Errorf("too fast: %w", driver.ErrThrottled)
	}
	s.committed++
	return nil
}

// writes makes n writes of a cost through a limiter, 16 at a time, and returns how long
// they took.
func writes(t *testing.T, l *pace.Limiter, s *service, n int, cost float64, latency time.Duration) time.Duration {
	t.Helper()
	begun := time.Now()
	err := parallel.Each(t.Context(), n, 16, func(ctx context.Context, _ int) error {
		return l.Do(ctx, cost, func() error {
			time.Sleep(latency)
			return s.write()
		})
	})
	if err != nil || s.committed != n {
		t.Errorf("%d of %d writes, %v", s.committed, n, err)
	}
	return time.Since(begun)
}

// Writes keep below the rate and use most of it, whatever they cost.
func TestRate(t *testing.T) {
	for _, cost := range []float64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			l, s := pace.New(50, time.Now, pause.For), &service{limit: int(50 / cost)}
			took := writes(t, l, s, 1000, cost, 80*time.Millisecond)
			ideal := time.Duration(1000*cost/50) * time.Second
			t.Logf("cost %g: %v, at the service's rate %v", cost, took, ideal)
			if s.refused > 0 || took > ideal*6/5 {
				t.Errorf("cost %g: %d were throttled, and they took %v", cost, s.refused, took)
			}
		})
	}
}

// A service that allows less than it says, or says nothing, still gets all writes, and
// refuses few of them.
func TestThrottled(t *testing.T) {
	for _, known := range []float64{50, 0} {
		synctest.Test(t, func(t *testing.T) {
			l, s := pace.New(known, time.Now, pause.For), &service{limit: 20}
			took := writes(t, l, s, 1000, 1, 5*time.Millisecond)
			t.Logf("rate %g, 20 allowed: %v, %d throttled", known, took, s.refused)
			if took > 100*time.Second || s.refused > 500 {
				t.Errorf("rate %g: %d were throttled, and they took %v", known, s.refused, took)
			}
		})
	}
}

// A service of which no rate is known, and that throttled one write long ago, is soon used
// as fast as it allows.
func TestRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := pace.New(0, time.Now, pause.For), &service{}
		_ = l.Do(t.Context(), 1, func() error { return s.write() }) // It ends after 2 minutes.
		s.limit = 1_000_000
		if took := writes(t, l, s, 1000, 1, 10*time.Millisecond); took > 90*time.Second {
			t.Errorf("1,000 writes took %v", took)
		}
	})
}

// Without a rate nothing waits.
func TestWithoutRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := pace.New(0, time.Now, pause.For), &service{limit: 1_000_000}
		if took := writes(t, l, s, 1600, 1, 10*time.Millisecond); took != time.Second {
			t.Errorf("1,600 writes of 10 ms, 16 at a time, took %v", took)
		}
	})
}

// A service that throttles without end fails the write after a while, and a context ends
// the wait.
func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(50, time.Now, pause.For)
		refuse := func() error { return driver.ErrThrottled }
		begun := time.Now()
		err := l.Do(t.Context(), 1, refuse)
		if took := time.Since(begun); !errors.Is(err, driver.ErrThrottled) || took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := l.Do(ctx, 1, refuse); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end of its context: %v", err)
		}
	})
}

// TestClockThatDoesNotFollowSleeps has a caller whose sleeps take no time, as in tests.
func TestClockThatDoesNotFollowSleeps(t *testing.T) {
	now, sleeps := time.Unix(1_700_000_000, 0), 0
	l := pace.New(0, func() time.Time { return now }, func(ctx context.Context, _ time.Duration) error {
		sleeps++
		return ctx.Err()
	})
	err := l.Do(t.Context(), 1, func() error { return driver.ErrThrottled })
	if !errors.Is(err, driver.ErrThrottled) || sleeps > 1000 {
		t.Errorf("%d sleeps, %v", sleeps, err)
	}
}
