//go:build !unix

package fsfault

import "syscall"

func numbered(syscall.Errno) (advice string, kind error) { return "", nil }
