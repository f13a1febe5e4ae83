// The lock by which writers of one file take turns, goroutines and processes alike.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
	"github.com/gofrs/flock"
)

const (
	lockSuffix = ".lock"
	// lockPause is the time between two looks at a lock that others hold.
	lockPause = 2 * time.Millisecond
)

// lock waits until nobody else writes the file, in this process or another.
func (s *Store) lock(ctx context.Context, path string) (unlock func(), err error) {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	lock := lockFile
	if s.config.inPlace {
		lock = func(ctx context.Context, path string) (*flock.Flock, error) { return lockItself(ctx, path, true) }
	}
	l, err := lock(ctx, path)
	if err != nil {
		<-s.writing
		return nil, err
	}
	return func() {
		_ = l.Close() // The lock ends with the descriptor, whatever is reported.
		<-s.writing
	}, nil
}

// lockFile locks the file beside path.
func lockFile(ctx context.Context, path string) (*flock.Flock, error) {
	name := path + lockSuffix
	for {
		if err := createLock(name, path); err != nil {
			return nil, fmt.Errorf("create the lock file (%s after the file's name): %w", lockSuffix, orInPlace(err))
		}
		l, err := lockAt(ctx, name, (*flock.Flock).TryLockContext)
		switch {
		case l != nil:
			return l, nil
		case errors.Is(err, plainfile.ErrNotRegular):
			return nil, errLockNoFile
		case err != nil:
			return nil, lockError(err)
		}
	}
}

// lockAt locks the file of that name, which has to be there. It returns nil and no error
// if somebody has removed or replaced the file.
func lockAt(ctx context.Context, name string, lock func(*flock.Flock, context.Context, time.Duration) (bool, error)) (*flock.Flock, error) {
	if err := plainfile.Check(name); err != nil {
		return nil, ignoreMissing(ctx, err)
	}
	l := flock.New(name, flock.SetFlag(lockFlag|plainfile.Flags), flock.SetPermissions(newFileMode))
	err := uninterrupted(func() error { _, err := lock(l, ctx, lockPause); return err })
	if err == nil {
		var there bool
		if there, err = stillThere(l, name); there {
			return l, nil
		}
	}
	_ = l.Close() // Nothing is locked, or not what has the name.
	if regular := plainfile.Check(name); errors.Is(regular, plainfile.ErrNotRegular) {
		err = regular // It came in between.
	}
	return nil, ignoreMissing(ctx, err)
}

// ignoreMissing returns no error for a file that is not there, unless the context has
// ended.
func ignoreMissing(ctx context.Context, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ctx.Err()
	}
	return err
}

// uninterrupted calls do again as long as a signal interrupts it, which some network
// file systems let happen.
func uninterrupted(do func() error) error {
	for {
		if err := do(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// lockError says what to do about the lock of another user.
func lockError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("lock the file: give the lock file (%s after the file's name) to the owner of the token file: %w", lockSuffix, fsfault.Of(err))
	}
	return fmt.Errorf("lock the file: %w", fsfault.Of(err))
}

// stillThere reports whether what is locked has the name still.
func stillThere(l *flock.Flock, name string) (bool, error) {
	locked, err := l.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Lstat(name)
	return err == nil && now.Mode().IsRegular() && os.SameFile(locked, now), err
}

// createLock creates the lock file if there is none, and follows no link. It belongs to the owner
// of the token file, so that a user who may write the one may lock the other.
func createLock(name, path string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDONLY, newFileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // Nothing was written.
	seen, err := look(path)
	if err == nil && seen.exists() {
		err = keepOwner(f, seen.info)
	}
	if err != nil {
		_ = os.Remove(name) // It would keep the owner out.
	}
	return err
}
