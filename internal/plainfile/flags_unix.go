//go:build unix

// Unix refuses a link, and does not wait for the other end of a FIFO, as it opens a file.

package plainfile

import "syscall"

const (
	openFlags    = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	hasModesHere = true
)
