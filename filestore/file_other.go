//go:build !unix

// What the package does where the system is not a Unix.

package filestore

import "os"

func keepOwner(*os.File, os.FileInfo) error { return nil }

func openFolder(string) (*os.File, error) { return nil, nil }

func syncFolder(*os.File) error { return nil }

const lockFlag = os.O_RDONLY

// canWriteInPlace reports that a file cannot be locked itself: on Windows a lock keeps
// everybody from reading what it covers.
func canWriteInPlace() bool { return false }
