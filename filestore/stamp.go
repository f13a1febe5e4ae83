package filestore

import (
	"os"
	"time"
)

// stamp tells one state of a file from another. The zero stamp is that of a
// file that does not exist.
type stamp struct{ info os.FileInfo }

func (s stamp) exists() bool { return s.info != nil }

// same reports whether the file is the same and unchanged, as far as its size
// and its times tell.
func (s stamp) same(other stamp) bool {
	if !s.exists() || !other.exists() {
		return s.exists() == other.exists()
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime())
}

// settling is how long after a change a file may change again without its time
// telling: the coarsest clock of a file system ticks every two seconds.
const settling = 2 * time.Second

// settled reports whether the file had not changed for a while at that moment.
func (s stamp) settled(at time.Time) bool {
	return s.exists() && at.Sub(s.info.ModTime()) > settling
}

const newFileMode os.FileMode = 0o600

// mode returns the mode that the file has, or is to have.
func (s stamp) mode() os.FileMode {
	if !s.exists() {
		return newFileMode
	}
	return s.info.Mode().Perm()
}
