// Package pace keeps the bulk writes of one process below the rate that a service
// sustains. A service that throttles them all the same has them slow down and try again,
// instead of failing them.
package pace

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/tokenstore/driver"
)

const (
	// share is how much of the service's rate bulk writes use. The rest is for the
	// single writes of this and other processes.
	share = 0.9
	// patience is how long one write is tried again while the service throttles it.
	patience = 2 * time.Minute
	// cutEvery is how often the rate is cut at most: all the writes in progress are
	// throttled together.
	cutEvery = time.Second
	// firstPause and longestPause limit the pauses of all writers after a throttled
	// write. A pause doubles while no write succeeds.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// recovery is the part of the full rate that a rate that was cut regains in a second.
	// If the full rate is not known, it is that part of the current one.
	recovery, search = 0.02, 0.05
	// lowest is the smallest part of the full rate to which it is cut, or, if that is not
	// known, the lowest rate.
	lowest, lowestUnknown = 0.02, 1
)

// Limiter spaces writes evenly. It is safe for concurrent use.
type Limiter struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu    sync.Mutex
	full  float64   // writes a second; 0 if it is not known
	rate  float64   // the current rate, at most full; 0 if there is no limit
	next  time.Time // the earliest time of the next write
	pause time.Duration
	cutAt time.Time // when the rate was last cut
	at    time.Time // when the rate was last changed
	// The writes of the current second, and of the one before.
	second         time.Time
	count, earlier float64
}

// New returns a limiter for a service that sustains that many writes a second; zero means
// that nothing is known, so that only a throttled write sets a limit.
func New(rate float64, now func() time.Time, sleep func(context.Context, time.Duration) error) *Limiter {
	return &Limiter{now: now, sleep: sleep, full: rate * share, rate: rate * share}
}

// Do calls write in its turn, and again in a later one while it fails with an error that
// matches driver.ErrThrottled. cost is how many writes it counts as.
func (l *Limiter) Do(ctx context.Context, cost float64, write func() error) error {
	begun, slept := l.now(), time.Duration(0)
	for {
		left := l.turn(cost).Sub(l.now())
		if err := l.wait(ctx, left); err != nil {
			return err
		}
		slept += max(left, 0)
		err := write()
		throttled := errors.Is(err, driver.ErrThrottled)
		l.answered(throttled)
		// A clock that does not follow the sleeps must not keep a write here for ever.
		if !throttled || max(slept, l.now().Sub(begun)) > patience {
			return err
		}
	}
}

// wait waits for a turn that is that far away.
func (l *Limiter) wait(ctx context.Context, left time.Duration) error {
	if left > 0 {
		return l.sleep(ctx, left)
	}
	return ctx.Err()
}

// turn returns the time of a write, and moves that of the next one.
func (l *Limiter) turn(cost float64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.measure(now, cost)
	l.recover(now)
	turn := now
	if l.next.After(now) {
		turn = l.next
	}
	if l.rate > 0 {
		l.next = turn.Add(time.Duration(cost / l.rate * float64(time.Second)))
	}
	return turn
}

// measure counts the writes of each second.
func (l *Limiter) measure(now time.Time, cost float64) {
	switch since := now.Sub(l.second); {
	case since >= 2*time.Second || since < 0:
		l.second, l.count, l.earlier = now, 0, 0
	case since >= time.Second:
		l.second, l.count, l.earlier = l.second.Add(time.Second), 0, l.count
	}
	l.count += cost
}

// recover raises a rate that was cut.
func (l *Limiter) recover(now time.Time) {
	switch seconds := max(now.Sub(l.at).Seconds(), 0); {
	case l.full == 0:
		l.rate *= 1 + search*seconds
	default:
		l.rate = min(l.full, l.rate+l.full*recovery*seconds)
	}
	l.at = now
}

// answered learns from the service's answer to a write.
func (l *Limiter) answered(throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !throttled {
		l.pause = 0
		return
	}
	now := l.now()
	if since := now.Sub(l.cutAt); since >= 0 && since < cutEvery {
		return
	}
	l.cutAt, l.at = now, now
	if l.rate == 0 {
		l.rate = max(l.count, l.earlier) // What the service has just refused to sustain.
	}
	least := l.full * lowest
	if l.full == 0 {
		least = lowestUnknown
	}
	l.rate = max(l.rate/2, least)
	l.pause = min(max(2*l.pause, firstPause), longestPause)
	if resume := now.Add(l.pause); resume.After(l.next) {
		l.next = resume
	}
}
