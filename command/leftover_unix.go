// What is left in a terminal's input behind a line: if nobody read it, the shell would run it
// when the command ends.

//go:build aix || darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris

package command

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// discardInput reads what the terminal has, until nothing follows for a tenth of a second, and
// reports whether it was more than the ends of lines. It leaves the terminal in another mode.
func discardInput(ctx context.Context, fd int) (more bool) {
	mode, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return false
	}
	mode.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL
	mode.Lflag |= unix.ISIG
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 0, 1 // A read waits for a tenth of a second.
	if err := unix.IoctlSetTermios(fd, setTermios, mode); err != nil {
		return false
	}
	var part [4096]byte
	for ctx.Err() == nil {
		n, err := unix.Read(fd, part[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			break
		}
		more = more || strings.TrimSpace(string(part[:n])) != ""
	}
	return more
}
