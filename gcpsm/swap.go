package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore/driver"
)

const (
	// looks is how often a lost reply, or a number that is missing, is looked for,
	// with a pause that doubles.
	looks    = 5
	lookWait = 100 * time.Millisecond
	// destroyWithin is how long a losing version may take to be destroyed after
	// its writer was told to stop.
	destroyWithin = 5 * time.Second
)

// outcome is what became of a version that was added.
type outcome int

const (
	unsure outcome = iota
	won
	lost
)

// swap replaces one version.
type swap struct {
	*history
	base  ref // number zero: there must be no version
	pause func(context.Context, time.Duration) error
	// fresh reports whether the base was seen so short a time ago that the secret
	// cannot have been deleted and created again since.
	fresh func() bool
}

// run adds a version over the base and returns it if it counts. Otherwise the
// error matches driver.ErrConflict, and the version is destroyed; or, if nobody
// can tell, driver.ErrUnavailable.
func (s *swap) run(ctx context.Context, v version) (version, error) {
	v.generation, v.base, v.oldest = s.base.number, s.base.identity, s.floor
	own, err := s.log.add(ctx, v)
	if undecided(err) && ctx.Err() == nil {
		own, err = s.seek(ctx, v, err)
	}
	if err != nil {
		return version{}, err
	}
	s.keep(own)
	result, err := s.judge(ctx, own)
	switch {
	case ctx.Err() != nil && result == unsure:
		return version{}, ctx.Err()
	case result == unsure:
		return version{}, &uncertain{err}
	case result == lost:
		s.withdraw(ctx, own)
		return version{}, conflict()
	}
	s.sound = own.number
	return own, nil
}

// undecided reports whether a write that failed so may have been carried out.
func undecided(err error) bool {
	return errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func conflict() error {
	return fmt.Errorf("%w: another version is the current one", driver.ErrConflict)
}

// uncertain is the error of a write of which nobody can tell whether it happened.
type uncertain struct{ cause error }

func (u *uncertain) Error() string {
	if u.cause == nil {
		return driver.ErrUnavailable.Error() + ": the outcome of a write is not known"
	}
	return driver.ErrUnavailable.Error() + ": the outcome of a write is not known: " + u.cause.Error()
}

// Is reports only one kind: the cause may be of another.
func (u *uncertain) Is(target error) bool { return target == driver.ErrUnavailable } //nolint:errorlint // This is what errors.Is calls.

// As looks in the cause.
func (u *uncertain) As(target any) bool { return u.cause != nil && errors.As(u.cause, target) }

// withdraw destroys a version that lost, also if the caller is gone. What it
// leaves does no harm: it never counts, and a later save destroys it.
func (s *swap) withdraw(ctx context.Context, own version) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWithin)
	defer cancel()
	_ = s.log.destroy(ctx, own)
}

// seek finds out what became of an addition whose reply was lost. To add it
// again could store it twice.
func (s *swap) seek(ctx context.Context, v version, cause error) (version, error) {
	wait := lookWait
	for range looks {
		own, beaten, err := s.mine(ctx, v.nonce)
		switch {
		case err != nil && ctx.Err() != nil:
			return version{}, ctx.Err()
		case err != nil:
			return version{}, &uncertain{err}
		case own.state == stored:
			return own, nil
		case beaten: // It may still arrive, and will not count.
			return version{}, conflict()
		}
		if err := s.pause(ctx, wait); err != nil {
			return version{}, err
		}
		wait *= 2
	}
	return version{}, &uncertain{cause}
}

// mine returns the version with a nonce, and reports whether it can no longer
// count if it is not there.
func (s *swap) mine(ctx context.Context, nonce string) (own version, beaten bool, err error) {
	s.end = max(s.end, s.base.number)
	if err := s.forward(ctx); err != nil {
		return version{}, false, err
	}
	hidden := false // It may have been added, and be gone by now.
	for n := s.base.number + 1; n <= s.end; n++ {
		u, err := s.at(ctx, n)
		if err != nil {
			return version{}, false, err
		}
		if u.state != stored {
			hidden = hidden || u.state == gone
			continue
		}
		if u.nonce == nonce {
			return u, false, nil
		}
		reaches, err := s.reaches(ctx, u, s.base.number)
		if err != nil {
			return version{}, false, err
		}
		beaten = beaten || reaches && !hidden
	}
	return version{}, beaten, nil
}

// judge decides whether the version that was added counts.
func (s *swap) judge(ctx context.Context, own version) (outcome, error) {
	if own.number <= s.base.number {
		return lost, nil // The secret is another one, which counts from 1.
	}
	if result, err := s.judgeBase(ctx); result != won {
		return result, err
	}
	doubt := false
	for n := s.base.number + 1; n < own.number; n++ {
		u, err := s.await(ctx, n)
		if err != nil {
			return unsure, err
		}
		switch u.state {
		case stored:
			if beaten, err := s.reaches(ctx, u, s.base.number); beaten || err != nil {
				return sure(lost, err), err
			}
		case gone:
			doubt = true // Mostly a version that lost before us.
		case absent, idle:
		}
	}
	if doubt {
		return s.judgeLater(ctx, own)
	}
	return won, nil
}

func sure(o outcome, err error) outcome {
	if err != nil {
		return unsure
	}
	return o
}

// judgeBase looks whether the base is still the version that was read: a secret
// that was deleted and created again has other versions under the same numbers.
func (s *swap) judgeBase(ctx context.Context) (outcome, error) {
	if s.base.identity == "" || s.fresh() {
		return won, nil
	}
	b, err := s.read(ctx, s.base.number)
	switch {
	case err != nil:
		return unsure, err
	case b.state == absent, b.state == stored && b.identity() != s.base.identity:
		return lost, nil
	}
	return won, nil
}

// await returns what is there under a number below one's own. The service
// promises that what was added can be read; a number that is missing is given
// some time all the same, in case its addition is under way.
func (s *swap) await(ctx context.Context, number int64) (version, error) {
	wait := lookWait
	for try := 1; ; try++ {
		v, err := s.at(ctx, number)
		if err != nil || v.state != absent || try == looks {
			return v, err
		}
		if err := s.pause(ctx, wait); err != nil {
			return version{}, err
		}
		wait *= 2
	}
}

// judgeLater decides by what came after a version, when one before it cannot be
// read any more: whoever based a version on another had found that one to be the
// current one.
func (s *swap) judgeLater(ctx context.Context, own version) (outcome, error) {
	current, err := s.head(ctx)
	if err != nil {
		return unsure, err
	}
	if current.number == own.number {
		return won, nil
	}
	for n := own.number + 1; n <= s.end; n++ {
		u, err := s.at(ctx, n)
		switch {
		case err != nil:
			return unsure, err
		case u.state != stored || u.person():
		case u.generation == own.number && u.base == own.nonce:
			return won, nil
		case u.generation > s.base.number && u.generation < own.number:
			return lost, nil
		}
	}
	return unsure, nil
}
