//go:build !unix

package fsfault

import "syscall"

func numbered(syscall.Errno) (kind error, advice string) { return nil, "" }
