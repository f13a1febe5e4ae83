// Changing the file: under the lock, on what was read, and only if it is still that.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

// attempts is how often a change is tried when others change the file.
const attempts = 20

// change runs do on the rows of the file and writes the file if do changed
// them. do may run several times.
func (s *Store) change(ctx context.Context, do func(*rows) error) error {
	switch err := s.usable(ctx); {
	case err != nil:
		return err
	case s.config.readOnly:
		return errReadOnly
	}
	path, err := target(s.path)
	if err != nil {
		return err
	}
	if err := mayWrite(path); err != nil {
		return fmt.Errorf("write the file: %w", fsfault.Of(err))
	}
	unlock, err := s.lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	if !s.config.inPlace {
		s.sweep(path)
	}
	for range attempts {
		if done, err := s.attempt(ctx, path, do); done || err != nil {
			return err
		}
	}
	return errChanging
}

// attempt reads the file, changes it and writes it. It is not done if the file
// was changed by others in the meantime.
func (s *Store) attempt(ctx context.Context, path string, do func(*rows) error) (done bool, err error) {
	snap, err := s.read(ctx, path, s.readings)
	if err != nil {
		return false, err
	}
	if err := snap.doc.unreadable(); err != nil {
		return false, err
	}
	var kept int64
	var noted notes
	if !s.config.inPlace { // Else there is no file beside it.
		if kept, err = readLastID(ctx, path); err != nil {
			return false, err
		}
		if noted, err = readNotes(ctx, path); err != nil {
			return false, err
		}
	}
	r := &rows{doc: snap.doc.clone(), own: true, config: s.config, highest: max(kept, s.highest.Load(), snap.doc.highest()), notes: noted}
	if err := do(r); err != nil || !r.changed && len(r.noted) == 0 {
		return true, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	between, after := noted.change(snap.doc, r.doc, r.noted)
	if !between.equal(noted) {
		if err := writeNotes(path, between, snap.stamp); err != nil {
			return false, orInPlace(err)
		}
	}
	if !r.changed {
		return true, nil
	}
	// What the rows no longer show is noted before it is gone from them.
	s.raiseHighest(r.highest)
	if s.config.inPlace {
		if done, err = s.writeInPlace(ctx, path, r.doc.bytes(), snap); err == nil && done {
			s.keep(r.doc)
		}
		return done, err
	}
	if r.highest > max(kept, r.doc.highest()) {
		if err := writeLastID(path, r.highest, snap.stamp); err != nil {
			return false, orInPlace(err)
		}
	}
	done, err = replace(path, r.doc.bytes(), path, snap.stamp, func() (bool, error) { return s.still(ctx, path, snap) })
	if err == nil && done {
		s.keep(r.doc)
	}
	if err == nil && done && !after.equal(between) {
		_ = writeNotes(path, after, snap.stamp) // What is left there too long does no harm.
	}
	return done, orInPlace(err)
}

// keep keeps a document that was written, for the next call: it is taken for the file if it has
// the same bytes.
func (s *Store) keep(doc *document) {
	var snap *snapshot
	if w := doc.written(); w != nil {
		snap = &snapshot{doc: w}
	}
	s.last.Store(snap)
}

// still reports whether the file is as it was read. Its bytes are compared, too:
// the stamp does not tell an edit within one tick of the file system's clock.
func (s *Store) still(ctx context.Context, path string, snap *snapshot) (bool, error) {
	now, err := look(path)
	if err != nil || !now.same(snap.stamp) {
		return false, err
	}
	if !now.exists() {
		return true, nil
	}
	f, err := openFile(path, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	same, err := snap.doc.is(ctx, f)
	if err == nil && !same {
		s.last.Store(nil) // In case its stamp is the same.
	}
	return same, err
}

// replace puts data in the place of the file path, unless ready says no at the
// last moment, with the owner and the permissions of the file like.
func replace(path string, data []byte, like string, seen stamp, ready func() (bool, error)) (done bool, err error) {
	f, err := create(path)
	if err != nil {
		return false, err
	}
	defer f.cleanup()
	if err := keepAccess(f.File, like, seen); err != nil {
		return false, err
	}
	if _, err := f.Write(data); err != nil {
		return false, err
	}
	if err := f.Sync(); err != nil { // Here, so that little time passes between the look and the step.
		return false, err
	}
	if ok, err := ready(); err != nil || !ok {
		return false, err
	}
	if err := f.takePlace(); err != nil {
		return false, err
	}
	return true, nil
}

// look returns the present stamp of the file.
func look(path string) (stamp, error) {
	info, err := os.Lstat(path) // The links are resolved.
	if errors.Is(err, os.ErrNotExist) {
		return stamp{}, nil
	}
	return stamp{info}, err
}

// raiseHighest remembers a number that was an ID.
func (s *Store) raiseHighest(n int64) {
	for {
		known := s.highest.Load()
		if known >= n || s.highest.CompareAndSwap(known, n) {
			return
		}
	}
}

const (
	lastIDSuffix = ".last-id"
	// longestLastID is more than the digits of any ID, with white space around.
	longestLastID = 1 << 10
)

// readLastID returns the highest number that was noted as an ID, or 0.
func readLastID(ctx context.Context, path string) (int64, error) {
	f, err := plainfile.Open(path+lastIDSuffix, os.O_RDONLY)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case errors.Is(err, plainfile.ErrNotRegular):
		return 0, errLastNoFile
	case err != nil:
		return 0, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	data, err := readAll(ctx, io.LimitReader(f, longestLastID), 0)
	if err != nil {
		return 0, err
	}
	n := number(strings.TrimSpace(string(data)))
	if n == 0 {
		return 0, fmt.Errorf("%w: the file with the last ID (%s after the file's name) does not hold a number; write the highest ID into it, or remove it",
			tokenstore.ErrUnreadable, lastIDSuffix)
	}
	return n, nil
}

// writeLastID notes a number as the highest ID.
func writeLastID(path string, n int64, seen stamp) error {
	always := func() (bool, error) { return true, nil }
	_, err := replace(path+lastIDSuffix, []byte(strconv.FormatInt(n, 10)+"\n"), path, seen, always)
	return err
}
