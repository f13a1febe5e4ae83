// Package plainfile opens files in folders where others may write too: regular files
// only, without following a link in the place of one and without waiting for the other
// end of a FIFO. It also tells whether others may read a file.
package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular says that what has the name is a link, a folder, a FIFO, a socket or a
// device.
var ErrNotRegular = errors.New("not a regular file")

// Flags are added to those with which a file is opened, so that what takes its place
// between [Check] and the opening is neither followed nor waited for. Systems without
// such flags have none.
const Flags = openFlags

// Check returns ErrNotRegular if what has the name is no regular file, and an error that
// matches fs.ErrNotExist if nothing has it. It opens nothing: to open a device may
// already do something.
func Check(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	return err
}

// Open opens a regular file that is there. The flag is os.O_RDONLY, os.O_WRONLY or
// os.O_RDWR.
func Open(path string, flag int) (*os.File, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|Flags, 0)
	if err != nil {
		if now := Check(path); errors.Is(now, ErrNotRegular) {
			err = now // It came in between.
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// othersRights are the rights of those who are neither the owner nor in the group.
const (
	othersRights fs.FileMode = 0o006
	othersEnter  fs.FileMode = 0o001
)

// HasModes says whether this system has such rights.
const HasModes = hasModesHere

// OthersMayUse is what to say of a file that is open to others.
const OthersMayUse = "other users of this machine may read or write it; run chmod o-rw on it"

// OpenToOthers reports whether users who are neither the owner of a file nor in its
// group may read or write it, going by its mode and by those of the folders that lead
// to it. It reports false where the system has no such modes, or nothing can be seen.
func OpenToOthers(path string) bool {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if path, err = filepath.Abs(path); err != nil {
		return false
	}
	info, err := os.Stat(path)
	if err != nil || !HasModes || info.Mode().Perm()&othersRights == 0 {
		return false
	}
	return Reachable(filepath.Dir(path))
}

// Reachable reports whether users who are neither the owner of a folder nor in its group may
// enter it, and all the folders that lead to it. The path is absolute and without links.
func Reachable(folder string) bool {
	for ; ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&othersEnter == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}
