// What a secret's version-destroy-ttl keeps of a deleted token: a destroyed version is only
// disabled until the delay is over, and can be enabled again.
// https://docs.cloud.google.com/secret-manager/docs/delay-destruction-of-secret-versions

package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"

	"example.com/tokenstore/driver"
)

var _ driver.Recoverer = (*secrets)(nil)

// Recover returns the version that the tombstone was based on. If that is waiting for its
// destruction, it is enabled only while it is read.
func (s *secrets) Recover(ctx context.Context, name string) ([]byte, error) {
	id, _, err := encodeName(name)
	if err != nil {
		return nil, err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	_, head, err := s.look(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case head.state != stored:
		return nil, fmt.Errorf("%w: the secret does not exist: the repair removed it, or the token had another name; restore the token from a backup", driver.ErrNotFound)
	}
	secret, f := call(ctx, s.set, "GetSecret", ifUnanswered, s.api.GetSecret, &secretmanagerpb.GetSecretRequest{Name: s.log(id).path})
	if f != nil {
		return nil, f.give()
	}
	delayed := secret.GetVersionDestroyTtl() != nil
	v, err := s.before(ctx, id, head, delayed)
	if err == nil && head.deleted { // The repair has marked the tombstone.
		v, err = s.before(ctx, id, v, delayed)
	}
	return v.data, err
}

// before returns the version that v was based on. One that was enabled for that is destroyed
// again, which begins another delay. Without a delay that would be final, and the caller has
// not stored the token yet: the next saves destroy it.
func (s *secrets) before(ctx context.Context, id string, v version, delayed bool) (old version, err error) {
	if v.person() || v.generation < 1 || v.base == "" {
		return version{}, fmt.Errorf("%w: the secret has no earlier version of this store; restore the token from a backup", driver.ErrNotFound)
	}
	log := s.log(id)
	if old, err = log.access(ctx, v.generation); err != nil {
		return version{}, err
	}
	if old.state == gone {
		if err := log.enable(ctx, v.generation, delayed); err != nil {
			return version{}, err
		}
		if delayed {
			defer func() {
				if again := log.destroyAgain(ctx, v.generation); err == nil && again != nil {
					old, err = version{}, again
				}
			}()
		}
		if old, err = log.awaitEnabled(ctx, v.generation); err != nil {
			return version{}, err
		}
	}
	if old.state != stored || old.identity() != v.base {
		return version{}, fmt.Errorf("%w: the version before the deletion is not there; restore the token from a backup", driver.ErrNotFound)
	}
	return old, nil
}

// enable makes a version readable that is disabled, and cancels its destruction.
func (l *remoteLog) enable(ctx context.Context, number int64, delayed bool) error {
	_, f := call(ctx, l.set, "EnableSecretVersion", ifUnanswered, l.api.EnableSecretVersion, &secretmanagerpb.EnableSecretVersionRequest{
		Name: l.path + "/versions/" + strconv.FormatInt(number, 10),
	})
	switch {
	case f == nil:
		return nil
	case f.grpc == codes.FailedPrecondition && errors.Is(f.kind, driver.ErrConflict), errors.Is(f.kind, driver.ErrNotFound):
		if delayed {
			return fmt.Errorf("%w: the version is destroyed: the secret's version-destroy-ttl is over, or was set after the deletion; restore the token from a backup", driver.ErrNotFound)
		}
		return fmt.Errorf("%w: the version was destroyed with the deletion; restore the token from a backup. "+
			"A version-destroy-ttl, set on the secret before, would have kept it for a while", driver.ErrNotFound)
	}
	return f.give()
}

// awaitEnabled reads a version that was just enabled: it takes a while until that is seen
// everywhere.
func (l *remoteLog) awaitEnabled(ctx context.Context, number int64) (version, error) {
	wait := lookWait
	for range enabledLooks {
		v, err := l.access(ctx, number)
		if err != nil || v.state != gone {
			return v, err
		}
		if err := l.set.sleep(ctx, wait); err != nil {
			return version{}, err
		}
		wait *= 2
	}
	return version{}, fmt.Errorf("%w: AccessSecretVersion: the version was enabled, and cannot be read yet; repeat the call", driver.ErrUnavailable)
}

// destroyAgain destroys a version, even if the caller has given up.
func (l *remoteLog) destroyAgain(ctx context.Context, number int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWithin)
	defer cancel()
	return l.destroy(ctx, version{number: number})
}

// enabledLooks is how often a version is looked at after it was enabled, for about a minute
// and a half: a change of state may take that long.
const enabledLooks = 10
