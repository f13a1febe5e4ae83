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
	l, err := lockFile(ctx, path)
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
			return nil, fmt.Errorf("create the lock file (%s after the file's name): %w", lockSuffix, fsfault.Of(err))
		}
		l := flock.New(name, flock.SetPermissions(newFileMode))
		if err := uninterrupted(func() error { _, err := l.TryLockContext(ctx, lockPause); return err }); err != nil {
			_ = l.Close() // Nothing is locked.
			return nil, lockError(err)
		}
		// Somebody may have removed the file that is locked now.
		if stillThere(l, name) {
			return l, nil
		}
		_ = l.Close()
	}
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

func stillThere(l *flock.Flock, name string) bool {
	locked, err := l.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(name)
	return err == nil && os.SameFile(locked, now)
}

// createLock creates the lock file if there is none. It belongs to the owner
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
