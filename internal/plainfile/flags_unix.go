//go:build unix

package plainfile

import "syscall"

const (
	openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	hasModes  = true
)
