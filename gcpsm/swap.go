package gcpsm

// A compare-and-swap made of additions: a version is added, and then its writer finds
// out by the rule in history.go whether it counts.

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// nonce returns the nonce of a version that is to be added; given are those of
	// all that were.
	nonce func() string
	given []string
}

// run adds a version over the base and returns it if it counts. Otherwise the
// error matches driver.ErrConflict, and the version is destroyed; or, if nobody
// can tell, driver.ErrUnavailable.
func (s *swap) run(ctx context.Context, v version) (version, error) {
	v.generation, v.base, v.oldest = s.base.number, s.base.identity, s.floor
	own, err := s.add(ctx, v)
	if err != nil {
		return version{}, err
	}
	s.keep(own)
	own, result, err := s.judge(ctx, own)
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

// add adds a version. If the service refuses it for a quota, or after a lost
// reply, it first looks what is there now. If nobody else has won, and the
// version is not there, another one is added over the same base: should the
// first one arrive yet, it comes after this one, and does not count.
func (s *swap) add(ctx context.Context, v version) (version, error) {
	wait := lookWait
	for try := 1; ; try++ {
		v.nonce = s.nonce()
		s.given = append(s.given, v.nonce)
		own, err := s.log.add(ctx, v)
		refused := errors.Is(err, driver.ErrThrottled)
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, driver.ErrNotFound):
			return own, err
		case !refused && !undecided(err) && len(s.given) > 1:
			return version{}, &uncertain{err} // An earlier one may arrive yet.
		case !refused && !undecided(err):
			return own, err
		}
		if refused {
			s.given = s.given[:len(s.given)-1]
			if try == tries && len(s.given) == 0 {
				return own, err
			}
			if err := s.pause(ctx, max(wait, quotaWait)); err != nil {
				return version{}, err
			}
		}
		found, again, lookErr := s.seek(ctx)
		switch {
		case ctx.Err() != nil:
			return version{}, ctx.Err()
		case errors.Is(lookErr, driver.ErrConflict):
			return version{}, lookErr
		case lookErr != nil || found.state != stored && (!again || try == tries):
			if len(s.given) == 0 {
				return version{}, err
			}
			return version{}, &uncertain{err}
		case found.state == stored:
			return found, nil
		}
		if !refused {
			if err := s.pause(ctx, wait); err != nil {
				return version{}, err
			}
		}
		wait *= 2
	}
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
func (u *uncertain) Is(target error) bool { return target == driver.ErrUnavailable }

// As looks in the cause.
func (u *uncertain) As(target any) bool { return u.cause != nil && errors.As(u.cause, target) }

// withdraw destroys a version that lost, also if the caller is gone. What it
// leaves does no harm: it never counts, and a later save destroys it.
func (s *swap) withdraw(ctx context.Context, own version) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWithin)
	defer cancel()
	_ = s.log.destroy(ctx, own)
}

// seek looks for a version whose reply was lost. If it is not there, it reports
// whether another one may be added; or the error matches driver.ErrConflict,
// since whatever arrives yet comes after one that has won.
func (s *swap) seek(ctx context.Context) (own version, again bool, err error) {
	s.end = max(s.end, s.base.number)
	if err := s.forward(ctx); err != nil {
		return version{}, false, err
	}
	hidden, beaten := false, false // It may have been added, and be gone by now.
	for n := s.base.number + 1; n <= s.end; n++ {
		u, err := s.at(ctx, n)
		switch {
		case err != nil:
			return version{}, false, err
		case u.state == gone:
			hidden = true
		case u.state != stored:
		case slices.Contains(s.given, u.nonce):
			return u, false, nil
		case !beaten:
			if beaten, err = s.reaches(ctx, u, s.base.number); err != nil {
				return version{}, false, err
			}
			if beaten && !hidden {
				return version{}, false, conflict()
			}
		}
	}
	return version{}, !beaten, nil
}

// judge decides whether the version that was added counts, or one that was added
// before and whose reply was lost.
func (s *swap) judge(ctx context.Context, own version) (version, outcome, error) {
	if own.number <= s.base.number {
		return own, lost, nil // The secret is another one, which counts from 1.
	}
	if result, err := s.judgeBase(ctx); result != won {
		return own, result, err
	}
	doubt := false
	for n := s.base.number + 1; n < own.number; n++ {
		u, err := s.await(ctx, n)
		switch {
		case err != nil:
			return own, unsure, err
		case u.state == gone:
			doubt = true // Mostly a version that lost before us.
		case u.state != stored:
		case slices.Contains(s.given, u.nonce):
			s.withdraw(ctx, own)
			own = u
		default:
			beaten, err := s.reaches(ctx, u, s.base.number)
			switch {
			case err != nil, beaten && doubt && len(s.given) > 1:
				return own, unsure, err // An earlier one may have won, and been deleted.
			case beaten:
				return own, lost, nil
			}
		}
	}
	if !doubt {
		return own, won, nil
	}
	result, err := s.judgeLater(ctx, own)
	return own, result, err
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
