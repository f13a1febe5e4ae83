// A secret that has lost its current version. AWS never removes AWSCURRENT; LocalStack
// does when it moves the label to a version that it has dropped, and then no call gives
// the secret a current version again: it can only be deleted and recreated.
// DeleteSecret is unconditional, so of all processes that see the damage only one at a
// time may call it, and only for a limited time. The lock is a second secret, which the
// service lets only one of them create.

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
	// lockSuffix is appended to a secret's name for its lock. No name from encodeName ends
	// in it, so no list takes a lock for a secret.
	lockSuffix = "=repairs"
	lockField  = driver.Reserved + "repair"
)

// isDamaged reports whether a secret exists but has lost its current version.
func (s *secrets) isDamaged(ctx context.Context, encoded string) bool {
	d, f := s.describe(ctx, encoded)
	return f == nil && !d.deleted && d.damaged()
}

// clear deletes a damaged secret. It reports whether a creator may go on: the secret is
// deleted, or no longer damaged, or being deleted by another process.
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
	if s.within(started) { // After that another process may hold it.
		_ = s.destroy(ctx, lock)
	}
	return true, nil
}

// destroy makes the single DeleteSecret call, without a recovery window: there is
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

// lock acquires a lock, or reports false if another process holds it. It takes over a
// lock whose process must have ended.
func (s *secrets) lock(ctx context.Context, name string, now time.Time) (held bool, err error) {
	_, f := call(ctx, "CreateSecret", s.api.CreateSecret, s.newSecret(target{encoded: name, value: newLock(now)}, newVersion()))
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

// newLock returns a lock's content: the time, and a random ID of the process.
func newLock(now time.Time) []byte {
	return []byte(`{"` + lockField + `":"` + strconv.FormatInt(now.UnixMilli(), 10) + " " + newVersion() + `"}`)
}

// lockedAt returns the time of a lock; an unreadable one counts as old.
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
