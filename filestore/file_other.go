//go:build !unix

package filestore

import (
	"os"
	"path/filepath"
)

// newFile is a file that will take the place of another in one step.
type newFile struct {
	*os.File
	path   string
	closed bool
	done   bool
}

// create creates a new file for the place of path, with that mode.
func create(path string, mode os.FileMode) (*newFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(mode); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, err
	}
	return &newFile{File: f, path: path}, nil
}

// CloseAtomicallyReplace puts the file in its place.
func (f *newFile) CloseAtomicallyReplace() error {
	if err := f.Sync(); err != nil {
		return err
	}
	f.closed = true
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.done = true
	return nil
}

// Cleanup removes the file unless it is in its place.
func (f *newFile) Cleanup() error {
	if f.done {
		return nil
	}
	if !f.closed {
		_ = f.Close()
	}
	return os.Remove(f.Name())
}

func keepOwner(*os.File, os.FileInfo) error { return nil }

func syncFolder(string) error { return nil }

func systemKind(error) error { return nil }
