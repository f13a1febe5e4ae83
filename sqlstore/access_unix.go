//go:build unix

// Permissions, looked at without opening the file.

package sqlstore

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// mayRead returns an error if this process may not read the file: to SQLite
// that looks like any other fault. The file is not opened, as closing it would
// drop the locks that other connections of this process have on it.
func mayRead(path string) error { return pathError(unix.Access(path, unix.R_OK)) }

// foreign reports whether the files that SQLite creates beside the file would have
// another owner: this process's user is neither the file's owner nor root (for root,
// SQLite gives them the file's owner).
func foreign(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	user := os.Geteuid()
	return ok && user != 0 && int64(stat.Uid) != int64(user)
}

// mayWrite reports whether this process may write the file.
func mayWrite(path string) bool { return unix.Access(path, unix.W_OK) == nil }
