// Access control lists, which on Linux are an extended attribute.

package filestore

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
)

// accessList is where Linux keeps a POSIX access control list.
const accessList = "system.posix_acl_access"

// keepAccessList gives f the access control list of the file like, or none if
// that has none, and reports whether it has one. The group's bits of the mode
// are then the list's mask: as a mode alone they would let the group in.
func keepAccessList(f *os.File, like string) (has bool, err error) {
	list, err := readAccessList(like)
	switch {
	case err != nil:
	case list == nil: // The folder may have given f one.
		err = unix.Fremovexattr(int(f.Fd()), accessList)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			err = nil
		}
	default:
		err = unix.Fsetxattr(int(f.Fd()), accessList, list, 0)
	}
	if err != nil {
		return false, fmt.Errorf("%w: the file's access control list cannot be kept; save as the file's owner: %w", tokenstore.ErrDenied, fsfault.Of(err))
	}
	return list != nil, nil
}

// readAccessList returns the list of the file, or nil.
func readAccessList(path string) ([]byte, error) {
	for size := 256; ; size *= 2 {
		list := make([]byte, size)
		n, err := unix.Getxattr(path, accessList, list)
		switch {
		case err == nil:
			return list[:n], nil
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
			return nil, nil
		case !errors.Is(err, unix.ERANGE) || size > 1<<16: // No attribute is larger.
			return nil, err
		}
	}
}
