// A secret that has lost its current version. AWS never takes AWSCURRENT away;
// LocalStack does when it moves the label to a version that it has dropped, and has
// then no call that gives the secret a current version again. It can only be
// deleted and created anew. DeleteSecret is unconditional, so of all processes that
// see the damage one at a time may make it, and within a time in which no other
// may: a second secret, which the service creates for one of them only, is the lock.

package awssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

const (
	// lockSuffix makes a lock's name of a secret's. No name that encodeName makes
	// ends so, and no listing takes it for one.
	lockSuffix = "=repairs"
	lockField  = driver.Reserved + "repair"
)

// isDamaged reports whether a secret exists and has lost its current version.
func (s *secrets) isDamaged(ctx context.Context, encoded string) bool {
	d, f := s.describe(ctx, encoded)
	return f == nil && !d.deleted && d.damaged()
}

// clear deletes a damaged secret. It says whether a creator may go on: the secret
// is gone, or is not damaged any more, or somebody else is deleting it.
func (s *secrets) clear(ctx context.Context, encoded string) (again bool, err error) {
	lock, started := lockName(encoded), s.set.now()
	if held, err := s.lock(ctx, lock, started); err != nil || !held {
		return err == nil, err
	}
	d, f := s.describe(ctx, encoded)
	switch {
	case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
		return false, f.give()
	case !s.within(started):
		return false, fmt.Errorf("%w: timed out between locking and deleting a damaged secret; retry", driver.ErrUnavailable)
	case f == nil && !d.deleted && d.damaged():
		if err := s.destroy(ctx, encoded); err != nil {
			return false, err
		}
	}
	if s.within(started) { // Later it may be another process's.
		_ = s.destroy(ctx, lock)
	}
	return true, nil
}

// destroy makes the one DeleteSecret call, without a recovery window: there is
// nothing to recover.
func (s *secrets) destroy(ctx context.Context, encoded string) error {
	short, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	_, f := call(short, "DeleteSecret", s.api.DeleteSecret, &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(encoded), ForceDeleteWithoutRecovery: aws.Bool(true),
	}, once)
	switch {
	case f == nil, errors.Is(f.kind, driver.ErrNotFound):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case f.lost:
		return s.lostDelete(ctx, encoded, f)
	}
	return f.give()
}

// lock gets hold of a lock. It reports false if another process holds it. One that
// has certainly ended may have left it; then it is taken over.
func (s *secrets) lock(ctx context.Context, name string, now time.Time) (held bool, err error) {
	_, f := call(ctx, "CreateSecret", s.api.CreateSecret, s.newSecret(target{encoded: name, data: newLock(now)}, newVersion()))
	switch {
	case f == nil:
		return true, nil
	case !errors.Is(f.kind, driver.ErrConflict):
		return false, f.container()
	}
	v, f := s.read(ctx, name)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return false, nil // Just released.
	case f != nil:
		return false, f.give()
	case now.Sub(lockedAt(v.data)).Abs() < retireWindow+maxSkew:
		return false, nil
	}
	_, err = s.replace(ctx, name, v.id, newLock(now))
	if errors.Is(err, driver.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// lockName returns the name of a secret's lock.
func lockName(encoded string) string {
	if len(encoded)+len(lockSuffix) > maxName {
		encoded = hashed(encoded)[:maxName-len(lockSuffix)]
	}
	return encoded + lockSuffix
}

// newLock returns what a lock holds: the time, and what tells two processes apart.
func newLock(now time.Time) []byte {
	return []byte(`{"` + lockField + `":"` + strconv.FormatInt(now.UnixMilli(), 10) + " " + newVersion() + `"}`)
}

// lockedAt returns the time of a lock; one that cannot be read is an old one.
func lockedAt(data []byte) time.Time {
	var fields map[string]string
	if json.Unmarshal(data, &fields) != nil {
		return time.Time{}
	}
	text, _, _ := strings.Cut(fields[lockField], " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
