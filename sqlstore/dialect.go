// What differs between databases: the dialects of SQLite and of MySQL implement it, and
// the rest of the package knows neither.

package sqlstore

import (
	"context"
	"database/sql"

	"example.com/tokenstore"
)

// Dialect is the kind of database behind a *sql.DB. Its values are what the
// functions of this package return: [SQLite] and [MySQL].
type Dialect struct{ of dialect }

// dialect is all that differs between databases. Statements have "?" for their
// parameters. Names are given unquoted.
type dialect interface {
	// quote returns an identifier quoted.
	quote(name string) string
	// identity returns the query for the account that the server knows, "" if there is none.
	identity() string
	// isolation returns how a transaction is begun.
	isolation(write bool) *sql.TxOptions
	// claim returns the statement with which a transaction that writes to a table begins,
	// and its parameters. Until it ends nobody else writes.
	claim(table string) (statement string, args []any)
	// place returns the expression that identifies a row by its place, "" if only
	// its ID identifies it.
	place() string
	// layout returns a number that changes whenever rows may have got other places.
	layout(ctx context.Context, tx *sql.Tx) (int64, error)
	// order returns the expressions that order rows by age.
	order(t *table) string
	// placed is called before the first insert of a transaction, with an empty ID, and
	// after each insert, with the ID of the row. removed is called after a delete, with the
	// ID of the row, or none for all of them. They keep the age of rows, if the table
	// does not.
	placed(run execer, t *table, id string) error
	removed(run execer, t *table, id string) error
	// equals returns a condition with two parameters, both the same string, that
	// is true if the column holds exactly that string, and that can use an index.
	equals(t *table, column string) string
	// text returns the string that a driver's value of a column stands for.
	text(value any) (string, bool)
	// highest returns a query for the highest ID that is a number, NULL if
	// there is none.
	highest(table, id string) string
	// remember returns a statement that raises the counter of a table. Its
	// parameters are the table and the number.
	remember() string
	// look returns the form of a table.
	look(ctx context.Context, tx *sql.Tx, table string) (form, error)
	// create creates the table, its indices and the counter if they do not exist.
	create(ctx context.Context, tx *sql.Tx, table string) error
	// has returns a query for the name of a table, which is its parameter, if there is one.
	has() string
	// after returns a condition with the place of a row for its parameter, which is true
	// for the rows after it, and the expressions by which the rows are then ordered.
	after(t *table) (condition, order string)
	// createNotes returns a statement that creates the table of notes if it does not
	// exist, or "" if create has made it.
	createNotes() string
	// keepNote returns a statement that sets a note. Its parameters are the table, the ID,
	// the note and the content to which it belongs.
	keepNote() string
	// upgrade changes an older form of the table to the present one.
	upgrade(ctx context.Context, tx *sql.Tx, t *table) error

	// diagnose returns what is wrong with the database, as far as its statements tell, and
	// rights what the account may not do that a role does.
	diagnose(ctx context.Context, tx *sql.Tx, t *table) ([]tokenstore.Finding, error)
	rights(ctx context.Context, db *sql.DB, t *table, role tokenstore.Role) ([]tokenstore.Finding, error)

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
	// forgotten says that a connection does not know a prepared statement any more, or that
	// the server has too many of them.
	forgotten(err error) bool
	// outdated says that a statement did not fit the table.
	outdated(err error) bool
}

// execer runs a statement of a transaction.
type execer func(statement string, args ...any) error

// form is what a database tells of a table.
type form struct {
	// columns are the names of its columns, in order; none if there is no such table.
	columns []string
	// numbers are those of its columns that hold numbers.
	numbers []string
	// collations are those of the columns whose strings are not UTF-8.
	collations map[string]string
	// complete says that all that create makes is there, and aged that what keeps the age
	// of rows is.
	complete, aged bool
	// dirty says that a statement which is no part of a transaction may read what others have
	// not committed.
	dirty bool
}

// texts returns the first column of a query's rows.
func texts(ctx context.Context, d dialect, tx *sql.Tx, query string, args ...any) ([]string, error) {
	found, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, told(d, err)
	}
	defer func() { _ = found.Close() }()
	var all []string
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			return nil, told(d, err)
		}
		all = append(all, s)
	}
	return all, told(d, found.Err())
}
