// A clock that only the test moves, so that hours of grace and expiry take no time; or, for
// what happens at the same time, that of a synctest bubble.

package drivertest

import (
	"context"
	"sync"
	"time"
)

// Clock is a clock that a test moves. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	wall bool
}

// NewClock returns a clock set to a fixed time in 2026.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)} }

// NewWallClock returns a clock that is package time's: Advance and Sleep wait, each caller
// for itself. In a bubble of testing/synctest that takes no time, and calls that are made at
// the same time take as long as the slowest of them, while on a clock from NewClock they
// take as long as all of them.
func NewWallClock() *Clock { return &Clock{wall: true} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	if c.wall {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward by d.
func (c *Clock) Advance(d time.Duration) {
	if c.wall {
		time.Sleep(d)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Sleep moves the clock forward by d and returns at once; a clock from NewWallClock waits.
// If the context has ended, it returns the context's error instead.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !c.wall {
		c.Advance(d)
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
