// A file that an SDK is writing: when to read it again, and when to give up.

package filestore

import (
	"context"
	"time"

	"example.com/tokenstore/internal/pause"
)

// The SDKs write in place: they empty the file, and then write it, in pieces if
// it is large. Their process may be held up in between.
const (
	readingWait = 10 * time.Millisecond
	// How often a file that is being written is read before a find, and before
	// a change, which could lose what the SDK has still to write, gives up.
	findReadings   = 20
	changeReadings = 500
	// quiet is how long an empty file must have been empty to be taken for one.
	quiet = 30 * time.Second
)

// read reads the file, as often as that if others are writing it.
func (s *Store) read(ctx context.Context, path string, readings int) (*snapshot, error) {
	for n := 1; ; n++ {
		snap, whole, err := s.readOnce(ctx, path)
		if err != nil {
			return nil, err
		}
		last := n >= readings
		switch {
		case last && !whole:
			return nil, errChanging
		case last && snap.emptied():
			return nil, errEmptied
		case whole && (last || !snap.emptied() && !snap.suspect()):
			s.last.Store(snap)
			s.warn(ctx, path, snap)
			return snap, nil
		}
		if err := pause.For(ctx, readingWait); err != nil {
			return nil, err
		}
	}
}

// emptied reports whether the file may be empty only because an SDK is about to
// write it: none leaves it so, without even a header.
func (s *snapshot) emptied() bool {
	return s.stamp.exists() && len(s.doc.records) == 0 && s.at.Sub(s.stamp.info.ModTime()) < quiet
}

// suspect reports whether the file may be half written. The Python SDK ends
// every line, as we do in the files that look like its own.
func (s *snapshot) suspect() bool {
	odd := len(s.doc.problem) > 0 || (s.doc.habits.redirectURI && !s.doc.habits.final)
	return odd && s.stamp.exists() && !s.stamp.settled(s.at)
}
