//go:build unix

package sqlstore

import (
	"golang.org/x/sys/unix"
)

// mayRead returns an error if this process may not read the file: to SQLite
// that looks like any other fault. The file is not opened, as closing it would
// drop the locks that other connections of this process have on it.
func mayRead(path string) error { return pathError(unix.Access(path, unix.R_OK)) }
