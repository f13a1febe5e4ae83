//go:build unix

// Owners and rights as Unix has them.

package filecheck

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"example.com/tokenstore/internal/fsfault"
)

// MayCreate returns an error if this process may not create files in a folder.
func MayCreate(folder string) error {
	return fsfault.Of(unix.Access(folder, unix.W_OK|unix.X_OK))
}

// SameOwner reports whether two files have one owner, also if that cannot be seen.
func SameOwner(a, b string) bool {
	first, ok := ownerOf(a)
	second, has := ownerOf(b)
	return !ok || !has || first == second
}

func ownerOf(path string) (uid uint32, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, true
}
