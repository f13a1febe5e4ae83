// Writing a file in place, for files that cannot be replaced: a file that is mounted by
// itself, and a file in a folder that this process may not write.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/pause"
	"example.com/tokenstore/internal/plainfile"
	"github.com/gofrs/flock"
)

// unfinished is the first byte of a file while it is written in place. No token file
// begins with it.
const unfinished = "\x00"

const problemUnfinished = "the file begins with a zero byte, as after a crash while it was written in place; " +
	"the new text may end anywhere, with the old text behind it: restore the file from a backup, or put it right by hand"

// useInPlace says what helps when a file cannot be replaced.
const useInPlace = "if only the file itself is yours to write, open it with WithInPlace (in_place=true in a URL), which a crash can leave half written"

var (
	errNoInPlace = fmt.Errorf("%w: files cannot be written in place on this system; open the file without WithInPlace", tokenstore.ErrInvalidArgument)
	// errCreate is the error of a file that is to be written in place.
	errCreate = fsfault.Missing("there is no such file; create it, or open it without WithInPlace (in_place=true in a URL)")
)

// writable is a file as overwrite needs it.
type writable interface {
	io.WriterAt
	Sync() error
	Truncate(size int64) error
}

// overwrite writes data, which is not empty, over the old content of a file. The first
// byte says that it is unfinished from before the first change until after the last one
// is on the disk. If a write fails, the old content is put back in the same way.
func overwrite(f writable, data, old []byte) error {
	err := overwriteOnce(f, data)
	if err == nil {
		return nil
	}
	if len(old) == 0 {
		return errors.Join(err, f.Truncate(0))
	}
	if overwriteOnce(f, old) != nil {
		return fmt.Errorf("%w; the file is half written and begins with a zero byte: restore it from a backup, or put it right by hand", err)
	}
	return err
}

func overwriteOnce(f writable, data []byte) error {
	if _, err := f.WriteAt([]byte(unfinished), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := f.WriteAt(data[1:], 1); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := f.WriteAt(data[:1], 0); err != nil {
		return err
	}
	return f.Sync()
}

// writeInPlace writes the file in place unless it has changed since it was read. The
// context is not looked at any more: a write that has begun is finished.
func (s *Store) writeInPlace(ctx context.Context, path string, data []byte, snap *snapshot) (done bool, err error) {
	f, err := openFile(path, os.O_RDWR)
	if err != nil {
		return false, err
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			done, err = false, closed
		}
	}()
	if ok, err := s.still(ctx, path, snap); err != nil || !ok {
		return false, err
	}
	s.last.Store(nil)
	if err := overwrite(f, data, snap.doc.bytes()); err != nil {
		return false, fmt.Errorf("write the file in place: %w", fsfault.Of(err))
	}
	return true, nil
}

// lockItself locks the token file itself: for writing, or together with other readers.
func lockItself(ctx context.Context, path string, writing bool) (*flock.Flock, error) {
	lock := (*flock.Flock).TryLockContext
	if !writing {
		lock = (*flock.Flock).TryRLockContext
	}
	for {
		l, err := lockAt(ctx, path, lock)
		switch {
		case l != nil:
			return l, nil
		case errors.Is(err, plainfile.ErrNotRegular):
			return nil, errNoFile
		case err != nil:
			return nil, fmt.Errorf("lock the file: %w", fsfault.Of(err))
		}
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return nil, errCreate
		}
		if err := pause.For(ctx, lockPause); err != nil { // It was replaced.
			return nil, err
		}
	}
}

// orInPlace adds to an error of replacing the file that it can be written in place.
func orInPlace(err error) error {
	if err = fsfault.Of(err); canWriteInPlace() && errors.Is(err, tokenstore.ErrDenied) {
		return fmt.Errorf("%w; %s", err, useInPlace)
	}
	return err
}
