//go:build !linux

// Access control lists of other systems are not kept.

package filestore

import "os"

func keepAccessList(*os.File, string) (has bool, err error) { return false, nil }
