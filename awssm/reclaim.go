// How a creator gets a name that is still in use: by a secret that is scheduled for
// deletion, being deleted or without a version, or that its own lost call has created.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

// occupied handles the creation of a secret whose name exists, or whose reply was lost: it
// may be the creator's own secret, one without a version, or one being deleted. It
// reports whether to try again from the start.
func (s *secrets) occupied(ctx context.Context, t target, id string, cause *fault) (revision string, again bool, err error) {
	v, f := s.read(ctx, t.encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound) && cause.lost:
		// It was never created, or the read is stale.
		revision, err = s.lostCreate(ctx, t.encoded, id, cause, driver.ErrUnavailable)
		return revision, false, err
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return s.unversioned(ctx, t, cause)
	case f != nil && f.isRequest():
		return s.takeBack(ctx, t, f)
	case f != nil && cause.lost:
		return "", false, f.unknown(cause)
	case f != nil:
		return "", false, f.give()
	case v.id == id:
		return id, false, nil
	case v.marked():
		return s.overMark(ctx, t, v)
	case cause.lost:
		revision, err = s.lostCreate(ctx, t.encoded, id, cause, driver.ErrConflict)
		return revision, false, err
	}
	return "", false, cause.as(driver.ErrConflict)
}

// unversioned handles the creation of a secret whose name exists but shows no current
// version. It reports whether to try again from the start.
func (s *secrets) unversioned(ctx context.Context, t target, cause *fault) (revision string, again bool, err error) {
	d, f := s.describe(ctx, t.encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return "", true, nil // Its deletion is about to end, or a read is stale.
	case f != nil:
		return "", false, f.give()
	case d.deleted:
		return s.takeBack(ctx, t, cause)
	case d.current != "":
		return "", true, nil // The first read was stale.
	case s.private && d.damaged():
		again, err = s.clear(ctx, t.encoded)
		return "", again, err
	}
	revision, err = s.replace(ctx, t.encoded, "", t.value)
	return revision, false, err
}

// lostCreate decides whether a secret that now holds another version, or is not seen, was
// created by the call whose reply was lost: then it has that version too. If not, the
// error is of the kind otherwise.
func (s *secrets) lostCreate(ctx context.Context, encoded, id string, cause *fault, otherwise error) (string, error) {
	wait := lookWait
	for range looks {
		_, f := s.readVersion(ctx, encoded, id)
		switch {
		case f == nil:
			return id, nil
		case !errors.Is(f.kind, driver.ErrNotFound) && !f.isRequest():
			return "", f.unknown(cause)
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return "", err
		}
		wait *= 2
	}
	return "", cause.as(otherwise)
}

// takeBack restores a name that is scheduled for deletion and replaces its content. The
// store's own deletions leave a tombstone, so a crash between the two calls brings no
// credential back. The version is looked up before the restore, so that a write in
// between makes the replacement fail.
func (s *secrets) takeBack(ctx context.Context, t target, cause *fault) (revision string, again bool, err error) {
	d, f := s.describeWritten(ctx, t.encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return "", true, nil // A forced deletion is about to end.
	case f != nil:
		return "", false, f.give()
	case !d.deleted && !cause.saysDeleted():
		return "", false, cause.give()
	case !d.deleted:
		return "", true, nil // Somebody has restored it, or this is stale.
	}
	_, f = call(ctx, "RestoreSecret", s.api.RestoreSecret, &secretsmanager.RestoreSecretInput{SecretId: aws.String(t.encoded)})
	switch {
	case f != nil && (errors.Is(f.kind, driver.ErrNotFound) || f.isRequest()):
		return "", true, nil
	case f != nil && !errors.Is(f.kind, driver.ErrUnavailable):
		return "", false, f.give()
	}
	if s.private && d.damaged() {
		return "", true, nil
	}
	if f != nil {
		// The reply was lost. If nothing was restored, AWS refuses the replacement; LocalStack
		// makes it, and nobody would find what it wrote.
		switch now, f := s.describe(ctx, t.encoded); {
		case f != nil:
			return "", false, f.give()
		case now.deleted:
			return "", true, nil
		}
	}
	revision, err = s.replace(ctx, t.encoded, d.current, t.value)
	return revision, false, err
}

// describeWritten describes a secret. If this process has just written it, it looks again
// until the description shows that version.
func (s *secrets) describeWritten(ctx context.Context, encoded string) (description, *fault) {
	w := s.wrote(encoded)
	wait := lookWait
	for try := 1; ; try++ {
		d, f := s.describe(ctx, encoded)
		settled := f == nil && d.deleted && d.current == w.revision
		if settled || w.revision == "" || try == looks || s.set.now().Sub(w.at) > recentFor || s.set.sleep(ctx, wait) != nil {
			return d, f
		}
		wait *= 2
	}
}

// overMark replaces a deletion's mark once its DeleteSecret can no longer arrive.
func (s *secrets) overMark(ctx context.Context, t target, mark version) (revision string, again bool, err error) {
	seen := s.set.now()
	if seen.Sub(mark.markedAt()).Abs() < retireWindow+maxSkew {
		if again, err := s.awaitDeletion(ctx, t.encoded, mark, seen); again || err != nil {
			return "", again, err
		}
	}
	revision, err = s.replace(ctx, t.encoded, mark.id, t.value)
	return revision, false, err
}

// awaitDeletion waits until a marked secret is scheduled for deletion, or its deleter's
// time is over. It reports whether something has changed.
func (s *secrets) awaitDeletion(ctx context.Context, encoded string, mark version, seen time.Time) (bool, error) {
	for range retireWindow / lookWait {
		if s.set.now().Sub(seen) >= retireWindow {
			break
		}
		if err := s.set.sleep(ctx, lookWait); err != nil {
			return false, err
		}
		v, f := s.read(ctx, encoded)
		switch {
		case f != nil && (errors.Is(f.kind, driver.ErrNotFound) || f.isRequest()):
			return true, nil
		case f != nil:
			return false, f.give()
		case v.id != mark.id && v.marked():
			return true, nil // Its deleter has renewed it.
		case v.id != mark.id:
			return false, fmt.Errorf("%w: the secret already exists", driver.ErrConflict)
		}
	}
	return false, nil
}
