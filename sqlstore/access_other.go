//go:build !unix

// What SQLite finds out by itself where there are no Unix permissions.

package sqlstore

// mayRead leaves it to SQLite to see whether the file may be read.
func mayRead(string) error { return nil }

// foreign leaves it to the system who owns the files that are made.
func foreign(string) bool { return false }

// mayWrite leaves it to SQLite to see whether the file may be written.
func mayWrite(string) bool { return true }
