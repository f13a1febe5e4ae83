// When a file was last changed, which no program can set.

//go:build dragonfly || linux || openbsd || solaris

package filestore

import (
	"os"
	"syscall"
	"time"
)

// changed returns when a file, or what is told of it, was changed last.
func changed(info os.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return time.Time{}
}
