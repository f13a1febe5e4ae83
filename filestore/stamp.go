// Telling from its size and times whether a file has changed.

package filestore

import (
	"os"
	"time"
)

// stamp tells one state of a file from another. The zero stamp is that of a
// file that does not exist.
type stamp struct{ info os.FileInfo }

func (s stamp) exists() bool { return s.info != nil }

// same reports whether the file is the same and unchanged, judging by its size and
// its times. The time of its last change is one that no program sets: an editor or a copy may
// give the file back the time at which it was last modified.
func (s stamp) same(other stamp) bool {
	if !s.exists() || !other.exists() {
		return s.exists() == other.exists()
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime()) &&
		changed(s.info).Equal(changed(other.info))
}

// How long after a change a file may change again without its time telling. The
// clocks of file systems tick every two seconds, every second, or at least
// every few milliseconds.
const (
	coarseTick = 2 * time.Second
	fineTick   = 100 * time.Millisecond
)

// settled reports whether the file had not changed for a while at that moment,
// so that a later change shows in its stamp.
func (s stamp) settled(at time.Time) bool {
	if !s.exists() {
		return false
	}
	return at.Sub(s.info.ModTime()) > s.tick()
}

// tick returns how long after a change the file, which exists, may change again unseen.
func (s stamp) tick() time.Duration {
	if s.info.ModTime().Nanosecond() == 0 {
		return coarseTick
	}
	return fineTick
}

const newFileMode os.FileMode = 0o600

// mode returns the mode that the file has, or is to have.
func (s stamp) mode() os.FileMode {
	if !s.exists() {
		return newFileMode
	}
	return s.info.Mode().Perm()
}
