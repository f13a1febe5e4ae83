//go:build !unix

package filestore

import "os"

func keepOwner(*os.File, os.FileInfo) error { return nil }

func syncFolder(string) error { return nil }

func systemKind(error) error { return nil }
