//go:build !linux

package filestore

import "os"

func keepAccessList(*os.File, string) (has bool, err error) { return false, nil }
