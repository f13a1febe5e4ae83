// What SQLite's result codes mean for a store: their kind, and what to do.

package sqlstore

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// SQLite's result codes, https://sqlite.org/rescode.html: the primary ones, and two
// extended ones.
const (
	sqliteError      = 1
	sqlitePerm       = 3
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
	sqliteAuth       = 23
	sqliteFormat     = 24
	sqliteNotADB     = 26

	sqliteMoved   = 1032 // The file is no longer at its path.
	sqliteTrigger = 1811 // A trigger raised an error.
)

const (
	adviceBusy   = "another connection uses the database; retry later, or set a longer busy timeout"
	adviceDenied = "the database may only be read; check the permissions of the file and its folder, and that the file system is writable"
	adviceDamage = "the file is damaged or not a SQLite database; check the path, or restore a backup"
)

// sqliteCodes says what a result code means. A primary code stands for all of its
// extended ones that are not listed.
var sqliteCodes = map[int]struct {
	name string
	kind error
	says string
}{
	// A statement that does not fit the table.
	sqliteError:      {"SQLITE_ERROR", tokenstore.ErrUnreadable, "a statement does not fit the database; check that nobody removed or changed the table, and open the store again"},
	sqlitePerm:       {"SQLITE_PERM", tokenstore.ErrDenied, adviceDenied},
	sqliteBusy:       {"SQLITE_BUSY", tokenstore.ErrUnavailable, adviceBusy},
	sqliteLocked:     {"SQLITE_LOCKED", tokenstore.ErrUnavailable, adviceBusy},
	sqliteNoMem:      {"SQLITE_NOMEM", tokenstore.ErrUnavailable, "out of memory"},
	sqliteReadOnly:   {"SQLITE_READONLY", tokenstore.ErrDenied, adviceDenied},
	sqliteInterrupt:  {"SQLITE_INTERRUPT", nil, "interrupted"},
	sqliteIOErr:      {"SQLITE_IOERR", tokenstore.ErrUnavailable, "the disk or the file system failed; check it, and retry"},
	sqliteCorrupt:    {"SQLITE_CORRUPT", tokenstore.ErrUnreadable, adviceDamage},
	sqliteFull:       {"SQLITE_FULL", tokenstore.ErrQuota, "the disk or the database is full; make room, and retry"},
	sqliteCantOpen:   {"SQLITE_CANTOPEN", tokenstore.ErrUnavailable, "the file, or one that SQLite keeps beside it, cannot be opened; check that it is there, and the permissions of its folder"},
	sqliteProtocol:   {"SQLITE_PROTOCOL", tokenstore.ErrUnavailable, adviceBusy},
	sqliteTooBig:     {"SQLITE_TOOBIG", tokenstore.ErrTooLarge, "a value is larger than SQLite stores"},
	sqliteConstraint: {"SQLITE_CONSTRAINT", tokenstore.ErrInvalidToken, "a constraint of the table refuses the change"},
	sqliteMismatch:   {"SQLITE_MISMATCH", tokenstore.ErrInvalidToken, "a column's type refuses the value"},
	sqliteAuth:       {"SQLITE_AUTH", tokenstore.ErrDenied, adviceDenied},
	sqliteFormat:     {"SQLITE_FORMAT", tokenstore.ErrUnreadable, adviceDamage},
	sqliteNotADB:     {"SQLITE_NOTADB", tokenstore.ErrUnreadable, adviceDamage},

	sqliteMoved:   {"SQLITE_READONLY_DBMOVED", tokenstore.ErrUnavailable, "the file was moved or replaced while it was open; close the store and open it again"},
	sqliteTrigger: {"SQLITE_CONSTRAINT_TRIGGER", tokenstore.ErrInvalidToken, "a trigger of the table refuses the change"},
}

// sqliteCode returns the primary result code of a driver's error, 0 if it has
// none.
func sqliteCode(err error) int { return extendedCode(err) & 0xff }

func extendedCode(err error) int {
	var coded interface {
		error
		Code() int
	}
	if !errors.As(err, &coded) {
		return 0
	}
	return coded.Code()
}

func (sqliteDialect) words(err error) string {
	code := extendedCode(err)
	known, ok := sqliteCodes[code]
	if !ok {
		known, ok = sqliteCodes[code&0xff]
	}
	switch {
	case ok:
		return fmt.Sprintf("%s (%d): %s", known.name, code, known.says)
	case code != 0:
		return fmt.Sprintf("SQLite result code %d", code)
	}
	return ""
}

func (sqliteDialect) kind(err error) error {
	code := extendedCode(err)
	if known, ok := sqliteCodes[code]; ok {
		return known.kind
	}
	return sqliteCodes[code&0xff].kind
}

func (sqliteDialect) busy(err error) bool {
	code := sqliteCode(err)
	return code == sqliteBusy || code == sqliteLocked || code == sqliteProtocol
}

// forgotten is never so: SQLite prepares a statement again by itself when the schema changes.
func (sqliteDialect) forgotten(error) bool { return false }

func (sqliteDialect) outdated(err error) bool { return sqliteCode(err) == sqliteError }
