// Deletion. DeleteSecret is unconditional; a mark that is written by compare-and-swap,
// and time limits, make it safe.

package awssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

// DeleteSecret deletes a secret whatever its current version. Time makes it safe: a
// version that says "deleted" becomes current by compare-and-swap; DeleteSecret follows
// within retireWithin, once, without a retry; and nobody replaces that version before
// retireWindow has passed, when the call has either arrived or been given up.
const (
	retireWithin  = 5 * time.Second
	deleteTimeout = 5 * time.Second
	retireWindow  = 15 * time.Second
	// maxSkew is how much the clocks of two machines may differ.
	maxSkew = 5 * time.Minute
	// deletions is how often the mark is renewed when DeleteSecret fails.
	deletions = 3
)

// markField is the only field of a mark besides the nonce: epoch milliseconds, as a
// string.
const markField = driver.Reserved + "deleted"

// newMark returns the data of a version that says "deleted".
func newMark(now time.Time) []byte {
	var mark driver.Object
	mark.SetNumber(markField, now.UnixMilli())
	return sign(mark)
}

// marked reports whether the version is a deletion's mark.
func (v version) marked() bool { return !v.markedAt().IsZero() }

// markedAt returns when the version was marked as deleted, or the zero time.
func (v version) markedAt() time.Time {
	var fields map[string]string
	if len(v.data) > 4*overhead || json.Unmarshal(v.data, &fields) != nil {
		return time.Time{}
	}
	delete(fields, nonceField) // Marks of earlier releases have none.
	if len(fields) != 1 {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(fields[markField], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// RetireWindow is how long a tombstone must be left alone.
func (s *secrets) RetireWindow() time.Duration { return retireWindow }

// Retire schedules a secret for deletion after this process has written its tombstone. A
// tombstone that is older or not current, or whose DeleteSecret was lost in transit, is
// left to the repair.
func (s *secrets) Retire(ctx context.Context, name, revision string) error {
	encoded, _, err := encodeName(name)
	if err != nil {
		return err
	}
	release, err := s.acquire(ctx, encoded)
	if err != nil {
		return err
	}
	defer release()
	w := s.wrote(encoded)
	if w.revision != revision || !s.within(w.at) {
		return nil
	}
	// A writer over the tombstone respects the window; this check is for people.
	wait := lookWait
	for range looks {
		if !s.within(w.at) {
			break
		}
		d, f := s.describe(ctx, encoded)
		switch {
		case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
			return f.give()
		case d.current == revision && !d.deleted && s.within(w.at):
			err := s.schedule(ctx, encoded)
			switch {
			case errors.Is(err, driver.ErrUnavailable):
				return nil
			case !errors.Is(err, driver.ErrThrottled):
				return err
			}
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
	return nil
}

// within reports whether a DeleteSecret for a version of that age may be sent.
func (s *secrets) within(at time.Time) bool { return s.set.now().Sub(at) < retireWithin }

// schedule makes the single DeleteSecret call. A retry might hit a secret that was
// restored and written in the meantime.
func (s *secrets) schedule(ctx context.Context, encoded string) error {
	short, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	in := &secretsmanager.DeleteSecretInput{SecretId: aws.String(encoded)}
	if s.set.force {
		in.ForceDeleteWithoutRecovery = aws.Bool(true)
	} else {
		in.RecoveryWindowInDays = aws.Int64(s.set.recoveryDays)
	}
	_, f := call(short, "DeleteSecret", s.api.DeleteSecret, in, once)
	switch {
	case f == nil, errors.Is(f.kind, driver.ErrNotFound), f.isRequest() && s.scheduled(ctx, encoded, f):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case f.lost:
		return s.lostDelete(ctx, encoded, f)
	}
	return f.give()
}

// lostDelete checks whether a DeleteSecret whose reply was lost was applied.
func (s *secrets) lostDelete(ctx context.Context, encoded string, cause *fault) error {
	wait := lookWait
	for range looks {
		if d, f := s.describe(ctx, encoded); f == nil && d.deleted || f != nil && errors.Is(f.kind, driver.ErrNotFound) {
			return nil
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
	return cause.as(driver.ErrUnavailable)
}

// Delete marks the secret as deleted by compare-and-swap and schedules it for deletion.
// If that fails the mark stays: the secret is no longer found, and another Delete
// finishes the job.
func (s *secrets) Delete(ctx context.Context, name, revision string) error {
	encoded, _, err := encodeName(name)
	if err != nil {
		return err
	}
	release, err := s.acquire(ctx, encoded)
	if err != nil {
		return err
	}
	defer release()
	if revision == noCurrent && s.private {
		_, err := s.clear(ctx, encoded)
		return err
	}
	if revision == "" || revision == noCurrent {
		return s.deletedBefore(ctx, encoded, "", fmt.Errorf("%w: pass the revision to delete", driver.ErrConflict))
	}
	for range deletions {
		started := s.set.now()
		var marked string
		marked, err = s.replace(ctx, encoded, revision, newMark(started))
		switch {
		case errors.Is(err, errGone):
			return nil
		case errors.Is(err, driver.ErrConflict):
			return s.deletedBefore(ctx, encoded, revision, err)
		case err != nil:
			return err
		}
		s.remember(encoded, revision, marked, started)
		if !s.within(started) {
			err = fmt.Errorf("%w: timed out between marking and deleting the secret; retry", driver.ErrUnavailable)
		} else if err = s.schedule(ctx, encoded); err == nil || !worthwhile(err) {
			return err
		}
		revision = marked
	}
	return err
}

// worthwhile reports whether another mark may help after a deletion failed with err.
func worthwhile(err error) bool {
	return errors.Is(err, driver.ErrThrottled) || errors.Is(err, driver.ErrUnavailable)
}

// deletedBefore handles a deletion that found another revision: if the secret is already
// gone, it succeeds. The refusal reflects the service's current state, so a read that
// shows an older one is stale; if the last read still does, the conflict stands.
func (s *secrets) deletedBefore(ctx context.Context, encoded, revision string, conflict error) error {
	wait, live := lookWait, false
	for range looks {
		v, f := s.read(ctx, encoded)
		live = f == nil && !v.marked()
		switch {
		case f != nil && f.saysNoVersion() && s.isDamaged(ctx, encoded):
			return conflict
		case f != nil && (errors.Is(f.kind, driver.ErrNotFound) || f.isRequest() && s.scheduled(ctx, encoded, f)):
		case f != nil:
			return f.give()
		case v.marked(): // By another or an earlier deletion.
		case v.id != revision:
			return conflict
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
	if live {
		return conflict
	}
	return nil
}
