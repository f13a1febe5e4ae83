// A backup takes its place in one step: no file of its name is ever half a backup.

package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

// ErrExists says that a file is there, which is not replaced unasked.
var ErrExists = errors.New("there is a file of this name; pass --force to replace it, or name another")

// File is a file that is being written under another name. Its owner alone can read it.
type File struct {
	*os.File
	path    string
	replace bool
}

// Create creates the file that is to become path.
func Create(path string, replace bool) (*File, error) {
	switch err := plainfile.Check(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fsOf(err)
	case !replace:
		return nil, ErrExists
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp*")
	if err != nil {
		return nil, fsOf(err)
	}
	return &File{f, path, replace}, nil
}

// TakePlace makes the file what its name says, so that it survives a power failure.
func (f *File) TakePlace() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fsOf(err)
	}
	if err := f.rename(); err != nil {
		return err
	}
	// Some systems cannot open or sync a folder; there, the name may be lost.
	if folder, err := os.Open(filepath.Dir(f.path)); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	return nil
}

// rename replaces only what may be replaced, also if it came into being meanwhile.
func (f *File) rename() error {
	if !f.replace {
		switch err := os.Link(f.Name(), f.path); {
		case err == nil:
			return fsOf(os.Remove(f.Name()))
		case errors.Is(err, fs.ErrExist):
			return ErrExists
		}
		// The file system has no links.
		if _, err := os.Lstat(f.path); err == nil {
			return ErrExists
		}
	}
	return fsOf(os.Rename(f.Name(), f.path))
}

// Discard removes the file unless it is in its place.
func (f *File) Discard() {
	_ = f.Close() // It may be closed,
	_ = os.Remove(f.Name())
}

// fsOf describes an error of the system without the path.
func fsOf(err error) error {
	if errors.Is(err, plainfile.ErrNotRegular) {
		return errors.New("what has this name is not a regular file; name another, or - for the standard stream")
	}
	return fsfault.Of(err)
}

// OpenFile opens a backup for reading.
func OpenFile(path string) (*os.File, error) {
	info, err := os.Stat(path) // A link is followed: nothing is written.
	if err == nil && !info.Mode().IsRegular() {
		err = plainfile.ErrNotRegular
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	return f, fsOf(err)
}
