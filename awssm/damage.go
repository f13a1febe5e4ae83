// A secret that has lost its current version. AWS never takes AWSCURRENT away;
// LocalStack does when it moves the label to a version that it has dropped, and has
// then no call that gives the secret a current version again. It can only be
// deleted and created anew. DeleteSecret is unconditional, so of all processes that
// see the damage one at a time may make it: a version whose ID is known before, and
// which the service therefore creates for one of them only, is the lock. A secret
// that was deleted and created has no lock, and is no longer damaged.

package awssm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

const (
	repairLabel = "tokenstore-repair-"
	repairField = driver.Reserved + "repair"
	// repairers is how many processes may end in the midst of a repair of one
	// secret before a person has to delete it.
	repairers = 5
)

// isDamaged reports whether a secret exists and has lost its current version.
func (s *secrets) isDamaged(ctx context.Context, encoded string) bool {
	d, f := s.describe(ctx, encoded)
	return f == nil && !d.deleted && d.damaged()
}

// clear deletes a damaged secret. It says whether a creator may go on: the secret
// is gone, or is not damaged any more, or somebody else is deleting it.
func (s *secrets) clear(ctx context.Context, encoded string) (again bool, err error) {
	started := s.set.now()
	if held, err := s.lockDamaged(ctx, encoded, started); err != nil || !held {
		return err == nil, err
	}
	d, f := s.describe(ctx, encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return true, nil
	case f != nil:
		return false, f.give()
	case d.deleted || !d.damaged():
		return true, nil
	case !s.within(started):
		return false, fmt.Errorf("%w: timed out between locking and deleting a damaged secret; retry", driver.ErrUnavailable)
	}
	if err := s.destroy(ctx, encoded); err != nil {
		return false, err
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

// lockDamaged stores the lock. It reports false if another process holds it. The
// lock of one that has certainly ended stays, and the next one has another ID.
func (s *secrets) lockDamaged(ctx context.Context, encoded string, now time.Time) (held bool, err error) {
	for n := range repairers {
		id := lockID(encoded, n)
		out, f := call(ctx, "PutSecretValue", s.api.PutSecretValue, &secretsmanager.PutSecretValueInput{
			SecretId: aws.String(encoded), ClientRequestToken: aws.String(id), SecretString: aws.String(newLock(now)),
			VersionStages: []string{repairLabel + strconv.Itoa(n)},
		})
		switch {
		case f == nil:
			return !slices.Contains(out.VersionStages, current), nil
		case errors.Is(f.kind, driver.ErrNotFound):
			return false, nil // Another process has just deleted it.
		case !errors.Is(f.kind, driver.ErrConflict):
			return false, f.give()
		}
		v, f := s.readVersion(ctx, encoded, id)
		switch {
		case f != nil && errors.Is(f.kind, driver.ErrNotFound):
			return false, nil
		case f != nil:
			return false, f.give()
		case now.Sub(lockedAt(v.data)).Abs() < retireWindow+maxSkew:
			return false, nil
		}
	}
	return false, fmt.Errorf("%w: the secret has no current version, and no repair of it has come to its end; delete it in the service and reindex", driver.ErrUnreadable)
}

// lockID returns the ID of the n-th lock of a secret, the same in all processes.
func lockID(encoded string, n int) string {
	b := sha256.Sum256([]byte("tokenstore repair " + strconv.Itoa(n) + " " + encoded))
	return uuid([16]byte(b[:16]))
}

// newLock returns what a lock holds: the time, and what tells two processes apart.
func newLock(now time.Time) string {
	return `{"` + repairField + `":"` + strconv.FormatInt(now.UnixMilli(), 10) + " " + newVersion() + `"}`
}

// lockedAt returns the time of a lock; one that cannot be read is an old one.
func lockedAt(data []byte) time.Time {
	var fields map[string]string
	if json.Unmarshal(data, &fields) != nil {
		return time.Time{}
	}
	text, _, _ := strings.Cut(fields[repairField], " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
