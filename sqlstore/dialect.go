// What differs between databases. There is one dialect today; the interface keeps the
// rest of the package free of SQLite.

package sqlstore

import (
	"context"
	"database/sql"
)

// Dialect is the kind of database behind a *sql.DB. Its values are what the
// functions of this package return, such as [SQLite].
type Dialect struct{ of dialect }

// dialect is all that differs between databases. Statements have "?" for their
// parameters. Names are given unquoted.
type dialect interface {
	// quote returns an identifier quoted.
	quote(name string) string
	// begin starts a transaction over a table. While one that writes is under
	// way nobody else writes.
	begin(ctx context.Context, db *sql.DB, table string, write bool) (*sql.Tx, error)
	// place returns the expression that orders rows by age and identifies a row.
	place() string
	// equals returns a condition with two parameters, both the same string, that
	// is true if the column holds exactly that string, and that can use an index.
	equals(column string) string
	// highest returns a query for the highest ID that is a number, NULL if
	// there is none.
	highest(table, id string) string
	// remember returns a statement that raises the counter of a table. Its
	// parameters are the table and the number.
	remember() string
	// look returns the columns of a table, in order, none if there is no such
	// table, and whether all that create makes is there.
	look(ctx context.Context, tx *sql.Tx, table string) (columns []string, complete bool, err error)
	// create creates the table, its indices and the counter if they do not exist.
	create(ctx context.Context, tx *sql.Tx, table string) error
	// has reports whether there is a table of that name.
	has(ctx context.Context, tx *sql.Tx, table string) (bool, error)
	// createNotes returns a statement that creates the table of notes if it does not
	// exist.
	createNotes() string
	// keepNote returns a statement that sets a note. Its parameters are the table, the ID,
	// the note and the content to which it belongs.
	keepNote() string
	// upgrade changes an older form of the table to the present one.
	upgrade(ctx context.Context, tx *sql.Tx, t *table) error

	// wipe asks the database to drop what was deleted, if it keeps that for a
	// while.
	wipe(ctx context.Context, db *sql.DB) error

	// words returns a driver's error as a code and what to do, in our own words,
	// or "" if the error is not known.
	words(err error) string
	// kind returns the sentinel of package tokenstore that a driver's error
	// stands for, or nil.
	kind(err error) error
	// busy says that a transaction failed because of others and may be done
	// again.
	busy(err error) bool
	// outdated says that a statement did not fit the table.
	outdated(err error) bool
}
