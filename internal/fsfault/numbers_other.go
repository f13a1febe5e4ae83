//go:build !unix

// The numbers of errors that only Unix has do not occur on other systems.

package fsfault

import "syscall"

func numbered(syscall.Errno) (advice string, kind error) { return "", nil }
