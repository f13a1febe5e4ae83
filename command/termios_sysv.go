// How the mode of a terminal is read and set on systems from System V.

//go:build aix || linux || solaris

package command

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
