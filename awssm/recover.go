// What the recovery window keeps of a deleted token.

package awssm

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

var (
	_ driver.Recoverer = (*secrets)(nil)
	_ driver.Scheduled = (*secrets)(nil)
)

// Scheduled reports whether a secret is in its recovery window.
func (s *secrets) Scheduled(ctx context.Context, name string) (bool, error) {
	encoded, _, err := encodeName(name)
	if err != nil {
		return false, err
	}
	d, f := s.describe(ctx, encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return false, nil
	case f != nil:
		return false, f.give()
	}
	return d.deleted, nil
}

// Recover restores a secret that is scheduled for deletion, and returns the version before
// its tombstone, whose label is AWSPREVIOUS. A secret with a single version has no tombstone:
// a person has scheduled it, and that version is what it held.
func (s *secrets) Recover(ctx context.Context, name string) ([]byte, error) {
	encoded, _, err := encodeName(name)
	if err != nil {
		return nil, err
	}
	release, err := s.acquire(ctx, encoded)
	if err != nil {
		return nil, err
	}
	defer release()
	d, f := s.describeWritten(ctx, encoded)
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return nil, fmt.Errorf("%w: the recovery window has ended, or the secret was deleted without one (recovery_days=0), or under another name; restore the token from a backup", driver.ErrNotFound)
	case f != nil:
		return nil, f.give()
	case d.previous == "" && d.deleted && d.current != "":
		d.previous = d.current
	case d.previous == "":
		return nil, fmt.Errorf("%w: the secret has no earlier version; restore the token from a backup", driver.ErrNotFound)
	}
	if d.deleted {
		if _, f = call(ctx, "RestoreSecret", s.api.RestoreSecret, &secretsmanager.RestoreSecretInput{SecretId: aws.String(encoded)}); f != nil {
			return nil, f.give()
		}
	}
	wait := lookWait
	for look := 1; ; look++ {
		v, f := s.readVersion(ctx, encoded, d.previous)
		switch {
		case f == nil && v.marked():
			return nil, fmt.Errorf("%w: the version before the deletion is another deletion; an older version may still be listed in the console", driver.ErrNotFound)
		case f == nil:
			return decode(v.data), nil
		case look == looks || !f.isRequest():
			return nil, f.give()
		}
		if err := s.set.sleep(ctx, wait); err != nil { // The restore is not seen everywhere yet.
			return nil, err
		}
		wait *= 2
	}
}
