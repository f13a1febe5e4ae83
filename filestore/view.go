// Reading the file, and following links to it.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

// snapshot is a file as it was read at one moment. It is never changed.
type snapshot struct {
	doc   *document
	stamp stamp
	at    time.Time // When it was read.
	seen  time.Time // When the file had this stamp first, as far as is known.
}

// check refuses what cannot be the path of a token file.
func (s *Store) check() error {
	if s.path == "" || strings.ContainsRune(s.path, 0) {
		return errNoFile
	}
	if s.config.inPlace && !canWriteInPlace() {
		return errNoInPlace
	}
	target, err := target(s.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return errNoFile
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, folder := os.Stat(filepath.Dir(target))
	switch {
	case errors.Is(folder, fs.ErrNotExist):
		return errNoFolder
	case folder == nil && s.config.readOnly:
		return errMissing
	case folder == nil && s.config.inPlace:
		return errCreate
	}
	return folder
}

// errMissing is the error of a file that is opened for reading only.
const errMissing = fsfault.Missing("there is no such file; check the path")

// view returns the document as it is now.
func (s *Store) view(ctx context.Context) (*document, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	path, err := target(s.path)
	if err != nil {
		return nil, err
	}
	if s.config.inPlace {
		l, err := lockItself(ctx, path, false)
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // The lock ends with the descriptor.
	}
	snap, err := s.read(ctx, path, min(findReadings, s.readings))
	if err != nil {
		return nil, err
	}
	return snap.doc, nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// readOnce reads the file, unless it is as it was read last. It is whole if it
// did not change in the meantime.
func (s *Store) readOnce(ctx context.Context, path string) (snap *snapshot, whole bool, err error) {
	f, err := openFile(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) && !s.config.readOnly {
		return &snapshot{doc: emptyDocument()}, true, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, errMissing
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	before, err := stampOf(f)
	if err != nil {
		return nil, false, err
	}
	last := s.last.Load()
	if last != nil && last.believed(before) {
		return last, true, nil
	}
	at := time.Now()
	kept := false
	if last != nil {
		if kept, err = last.doc.is(ctx, f); err != nil {
			return nil, false, err
		}
	}
	var data []byte
	if !kept {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, false, err
		}
		if data, err = readAll(ctx, f, before.info.Size()); err != nil {
			return nil, false, err
		}
	}
	after, err := stampOf(f)
	if err != nil {
		return nil, false, err
	}
	if kept {
		return last.again(after, at), before.same(after), nil
	}
	doc, err := parse(ctx, data)
	if err != nil {
		return nil, false, err
	}
	s.raiseHighest(doc.highest())
	return &snapshot{doc: doc, stamp: after, at: at, seen: at}, before.same(after), nil
}

// openFile opens the token file, of which the links are resolved.
func openFile(path string, flag int) (*os.File, error) {
	f, err := plainfile.Open(path, flag)
	if errors.Is(err, plainfile.ErrNotRegular) {
		err = errNoFile
	}
	return f, err
}

func stampOf(f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{info}, nil
}

var errManyLinks = fmt.Errorf("%w: too many symbolic links; check the path for a loop", tokenstore.ErrInvalidArgument)

// linkError gives an error of following links a kind: that of a loop has none.
func linkError(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return err
	}
	return errManyLinks
}

// manyLinks is more symbolic links than any system follows.
const manyLinks = 40

// target returns the path of the file that path stands for: where a symbolic
// link leads, also if there is no file yet.
func target(path string) (string, error) {
	for range manyLinks {
		file, err := filepath.EvalSymlinks(path)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", linkError(err)
		}
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // Not a link: a file that is not there yet.
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errManyLinks
}
