// A compare-and-swap built from appends: a writer adds a version and then finds out, by
// the rule in history.go, whether it counts.

package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/tokenstore/driver"
)

const (
	// looks is how often a lost reply, or a missing number, is looked for, with
	// pauses that double.
	looks    = 5
	lookWait = 100 * time.Millisecond
	// destroyWithin limits the time for destroying a version after its caller's context has
	// ended.
	destroyWithin = 5 * time.Second
)

// outcome is the result of adding a version.
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
	// fresh reports whether the base was seen so recently that the secret cannot have been
	// deleted and created again since.
	fresh func() bool
	// nonce returns a nonce for a new version; given holds those of all versions added
	// so far.
	nonce func() string
	given []string
}

// run adds a version over the base and returns it if it counts. Otherwise the error
// matches driver.ErrConflict, and the version is destroyed; or driver.ErrUnavailable,
// if the outcome is unknown.
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

// reply is the result of one call that adds a version.
type reply int

const (
	accepted   reply = iota // It is stored.
	ended                   // The context has ended, or the secret does not exist.
	refused                 // It is not stored, and may be sent again: a quota was exceeded.
	unanswered              // It may be stored, now or later.
	rejected                // It is not stored, and sending it again is useless.
)

func replyOf(ctx context.Context, err error) reply {
	switch {
	case err == nil:
		return accepted
	case ctx.Err() != nil, errors.Is(err, driver.ErrNotFound):
		return ended
	case errors.Is(err, driver.ErrThrottled):
		return refused
	case errors.Is(err, driver.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unanswered
	}
	return rejected
}

// sighting is the result of looking for an addition that got no answer.
type sighting int

const (
	unclear sighting = iota // The look failed, or a version that it needs is gone.
	found                   // The addition itself.
	beaten                  // Another version has won: a late addition does not count.
	free                    // Neither: another one may be added.
)

// add adds a version. After a refusal or a lost reply it tries again, unless another
// writer has won. Of several versions over the same base only the first counts, so
// sending it again is safe after looking for the earlier ones.
//
//	reply       next step
//	accepted    return the version
//	ended       return the error
//	rejected    return the error; outcome unknown if an earlier one had no answer
//	refused     pause, then look
//	unanswered  look, then pause
//
//	look        next step
//	found       return the version
//	beaten      return a conflict
//	free        try again; after the last try, as for unclear
//	unclear     return the error; outcome unknown if one had no answer
func (s *swap) add(ctx context.Context, v version) (version, error) {
	wait := lookWait
	for try := 1; ; try++ {
		v.nonce = s.nonce()
		s.given = append(s.given, v.nonce)
		own, err := s.log.add(ctx, v)
		came := replyOf(ctx, err)
		switch came {
		case accepted, ended:
			return own, err
		case rejected:
			return version{}, s.unknownAfter(err, 1)
		case refused:
			s.given = s.given[:len(s.given)-1]
			if try == tries && len(s.given) == 0 {
				return version{}, err // There is nothing to look for.
			}
			if err := s.pause(ctx, max(wait, quotaWait)); err != nil {
				return version{}, err
			}
		case unanswered:
		}
		seen, sight := s.seek(ctx)
		if ctx.Err() != nil {
			return version{}, ctx.Err()
		}
		switch {
		case sight == found:
			return seen, nil
		case sight == beaten:
			return version{}, conflict()
		case sight == unclear, try == tries:
			return version{}, s.unknownAfter(err, 0)
		}
		if came == unanswered {
			if err := s.pause(ctx, wait); err != nil {
				return version{}, err
			}
		}
		wait *= 2
	}
}

// unknownAfter returns err, or an error saying that the outcome is unknown if more than
// n of the versions given may be stored.
func (s *swap) unknownAfter(err error, n int) error {
	if len(s.given) > n {
		return &uncertain{err}
	}
	return err
}

func conflict() error {
	return fmt.Errorf("%w: another version is current; read again and retry", driver.ErrConflict)
}

// uncertain is the error of a write whose outcome is unknown.
type uncertain struct{ cause error }

func (u *uncertain) Error() string {
	if u.cause == nil {
		return driver.ErrUnavailable.Error() + ": the write may or may not have been applied; retry"
	}
	return driver.ErrUnavailable.Error() + ": the write may or may not have been applied; retry: " + u.cause.Error()
}

// Is matches only ErrUnavailable, whatever the cause.
func (u *uncertain) Is(target error) bool { return target == driver.ErrUnavailable }

// As searches the cause.
func (u *uncertain) As(target any) bool { return u.cause != nil && errors.As(u.cause, target) }

// withdraw destroys a losing version, even after the caller's context has ended. A
// failure does no harm: the version never counts, and a later save destroys it.
func (s *swap) withdraw(ctx context.Context, own version) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWithin)
	defer cancel()
	_ = s.log.destroy(ctx, own)
}

// seek looks for the versions given that got no answer.
func (s *swap) seek(ctx context.Context) (version, sighting) {
	s.end = max(s.end, s.base.number)
	if err := s.forward(ctx); err != nil {
		return version{}, unclear
	}
	hidden, rival := false, false
	for n := s.base.number + 1; n <= s.end; n++ {
		u, err := s.at(ctx, n)
		switch {
		case err != nil:
			return version{}, unclear
		case u.state == gone:
			hidden = true // It may be one of ours.
		case u.state != stored:
		case slices.Contains(s.given, u.nonce):
			return u, found
		case !rival:
			if rival, err = s.reaches(ctx, u, s.base.number); err != nil {
				return version{}, unclear
			}
			if rival && !hidden {
				return version{}, beaten
			}
		}
	}
	if !rival {
		return version{}, free
	}
	if ok, err := s.succeeded(ctx); err != nil || !ok {
		return version{}, unclear
	}
	return version{}, beaten
}

// succeeded reports whether the base certainly had another successor than the versions
// given. A version that was based on the base and counts shows it: whatever was added
// before the two and can no longer be read has lost.
func (s *swap) succeeded(ctx context.Context) (bool, error) {
	current, err := s.head(ctx)
	if err != nil {
		return false, err
	}
	for n := s.base.number + 1; n <= s.end; n++ {
		u := s.seen[n]
		if !u.over(s.base) || slices.Contains(s.given, u.nonce) {
			continue
		}
		if current.number == n {
			return true, nil
		}
		for later := n + 1; later <= s.end; later++ { // Its writer found u to be current.
			if s.seen[later].over(u.ref()) {
				return true, nil
			}
		}
	}
	return false, nil
}

// judge decides whether the version that was added counts, or else an earlier one whose
// reply was lost.
func (s *swap) judge(ctx context.Context, own version) (version, outcome, error) {
	if own.number <= s.base.number {
		return own, lost, nil // It is another secret, whose numbers start at 1.
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
			doubt = true // Usually a version that lost before ours.
		case u.state != stored:
		case slices.Contains(s.given, u.nonce):
			s.withdraw(ctx, own)
			own = u
		default:
			beaten, err := s.reaches(ctx, u, s.base.number)
			switch {
			case err != nil:
				return own, unsure, err
			case beaten && doubt:
				result, err := s.lostAll(ctx)
				return own, result, err
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

// judgeBase checks whether the base is still the version that was read: a secret that
// was deleted and created again has other versions under the same numbers.
func (s *swap) judgeBase(ctx context.Context) (outcome, error) {
	if s.base.identity == "" || s.fresh() {
		return won, nil
	}
	b, err := s.log.access(ctx, s.base.number)
	switch {
	case err != nil:
		return unsure, err
	case b.state == absent:
		return lost, nil
	case b.state == stored && b.identity() != s.base.identity:
		s.keep(b)
		return lost, nil
	}
	// If it is gone, what was seen of it is kept: it shows a copy that a person has stored.
	return won, nil
}

// await returns the version with a number below one's own. The service promises that an
// added version can be read; a missing one is still given some time, in case it is being
// added.
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

// lostAll returns lost if all versions given have lost, now that one has: an earlier one may
// have won, and been destroyed.
func (s *swap) lostAll(ctx context.Context) (outcome, error) {
	if len(s.given) == 1 {
		return lost, nil
	}
	if ok, err := s.succeeded(ctx); err != nil || !ok {
		return unsure, err
	}
	return lost, nil
}

// judgeLater decides by the versions after own, when one before it can no longer be read:
// the writer of a version had found its base to be the current one.
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
			return s.lostAll(ctx)
		}
	}
	return unsure, nil
}
