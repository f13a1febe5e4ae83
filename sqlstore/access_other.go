//go:build !unix

// What SQLite finds out by itself where there are no Unix permissions.

package sqlstore

// mayRead returns nil: SQLite finds out whether the file may be read.
func mayRead(string) error { return nil }

// foreign reports false: who owns a new file is the system's affair.
func foreign(string) bool { return false }

// mayWrite returns true: SQLite finds out whether the file may be written.
func mayWrite(string) bool { return true }
