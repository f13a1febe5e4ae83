// Permissions: a file that is replaced keeps those that it had.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

// mayWrite returns an error if this process may not write the file. The file is
// replaced and never written, which only takes the right to write its folder.
func mayWrite(path string) error {
	f, err := openFile(path, os.O_WRONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// keepAccess gives f, which is empty and its maker's alone, the owner, the group
// and the permissions of the file like, which was seen so; or, if there is none,
// those of a new file.
func keepAccess(f *os.File, like string, seen stamp) error {
	if seen.exists() {
		if err := keepOwner(f, seen.info); err != nil {
			return err
		}
		if has, err := keepAccessList(f, like); has || err != nil {
			return err
		}
	}
	if err := f.Chmod(seen.mode()); err != nil {
		return fmt.Errorf("%w: the file's mode cannot be kept; save as the file's owner: %w", tokenstore.ErrDenied, fsfault.Of(err))
	}
	return nil
}

// warn reports once if others may read or write the file.
func (s *Store) warn(ctx context.Context, path string, snap *snapshot) {
	if s.config.log == nil || !snap.stamp.exists() || s.warned.Swap(true) || !plainfile.OpenToOthers(path) {
		return
	}
	s.config.log.WarnContext(ctx, "filestore: the token file: "+plainfile.OthersMayUse)
}
