// How SQLite does what a store needs.

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// SQLite returns the dialect of SQLite. It is made for the driver
// modernc.org/sqlite; with another driver, faults have no kind.
func SQLite() Dialect { return Dialect{sqliteDialect{}} }

type sqliteDialect struct{}

func (sqliteDialect) identity() string { return "" }

// quote uses backticks: SQLite takes a name in double quotes for a string if there is
// no such column.
func (sqliteDialect) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func (sqliteDialect) isolation(write bool) *sql.TxOptions { return &sql.TxOptions{ReadOnly: !write} }

// claim takes the lock for writing at once, as BEGIN IMMEDIATE does: a transaction
// that reads first may find that another has written when it wants to write. Package database/sql
// has no word for that, but a first statement that could write, and does not,
// has the same effect.
func (d sqliteDialect) claim(table string) (statement string, args []any) {
	return "DELETE FROM " + d.quote(table) + " WHERE 0", nil
}

// place is the rowid, which grows with every insert.
func (sqliteDialect) place() string { return "rowid" }

// layout is the version of the schema. VACUUM, which may give all rows other rowids, raises
// it, and so does every change of a table.
func (d sqliteDialect) layout(ctx context.Context, tx *sql.Tx) (version int64, err error) {
	err = tx.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version)
	return version, told(d, err)
}

func (d sqliteDialect) order(*table) string { return d.place() }

func (d sqliteDialect) after(*table) (condition, order string) { return d.place() + " > ?", d.place() }

// The rowid keeps the age of rows.
func (sqliteDialect) placed(execer, *table, string) error  { return nil }
func (sqliteDialect) removed(execer, *table, string) error { return nil }

func (sqliteDialect) text(value any) (string, bool) { return textOf(value) }

// equals compares twice: with the column's own collation, for the index, and
// byte for byte, since that collation may fold case and its type may make
// numbers of strings.
func (d sqliteDialect) equals(_ *table, column string) string {
	c := d.quote(column)
	return c + " = ? AND CAST(" + c + " AS TEXT) COLLATE BINARY = ?"
}

// number and isNumber are the expressions of the index over the IDs' numbers. A
// query uses the index if it has the very same ones.
func (d sqliteDialect) number(id string) string { return "CAST(" + d.quote(id) + " AS INTEGER)" }

func (d sqliteDialect) isNumber(id string) string {
	c := d.quote(id)
	return fmt.Sprintf("%s NOT GLOB '*[^0-9]*' AND length(%s) BETWEEN 1 AND %d", c, c, maxDigits)
}

func (d sqliteDialect) highest(table, id string) string {
	number := d.number(id)
	return "SELECT (SELECT " + number + " FROM " + d.quote(table) + " WHERE " + d.isNumber(id) + " ORDER BY " + number + " DESC LIMIT 1)"
}

func (d sqliteDialect) remember() string {
	return "INSERT INTO " + d.quote(counterTable) + " (table_name, highest) VALUES (?, ?) " +
		"ON CONFLICT (table_name) DO UPDATE SET highest = max(highest, excluded.highest)"
}

func (d sqliteDialect) look(ctx context.Context, tx *sql.Tx, table string) (form, error) {
	columns, err := texts(ctx, d, tx, "SELECT name FROM pragma_table_info(?) ORDER BY cid", table)
	if err != nil || len(columns) == 0 {
		return form{}, err
	}
	if _, err := texts(ctx, d, tx, "SELECT rowid FROM "+d.quote(table)+" LIMIT 0"); err != nil {
		if d.outdated(err) {
			err = fmt.Errorf("%w: %s is not an ordinary rowid table; name another table: %w", tokenstore.ErrInvalidArgument, table, err)
		}
		return form{}, err
	}
	has, err := texts(ctx, d, tx, "SELECT name FROM sqlite_master WHERE type IN ('table', 'index')")
	if err != nil {
		return form{}, err
	}
	f := form{columns: columns, complete: slices.Contains(has, counterTable), aged: true}
	wanted, err := d.indices(ctx, tx, tableOf(table, f))
	for _, i := range wanted {
		f.complete = f.complete && slices.Contains(has, i.name)
	}
	return f, err
}

// sqliteIndex is an index that the store wants: what it is over, after ON.
type sqliteIndex struct{ name, over string }

// indices returns the indices that a table of this form shall have: one for
// each key, one for the IDs if they are no primary key, and one for the IDs as
// numbers.
func (d sqliteDialect) indices(ctx context.Context, tx *sql.Tx, t *table) ([]sqliteIndex, error) {
	name := func(key string) string { return "tokenstore_" + strings.ToLower(t.name) + "_" + key }
	on := func(columns string) string { return d.quote(t.name) + " (" + columns + ")" }
	var all []sqliteIndex
	for kind, known := range keyColumns {
		if c := t.column(known); c != "" {
			all = append(all, sqliteIndex{name(string(kind)), on(d.quote(c))})
		}
	}
	id := t.column(idColumn)
	if id == "" {
		return all, nil
	}
	all = append(all, sqliteIndex{name("number"), on(d.number(id)) + " WHERE " + d.isNumber(id)})
	primary, err := texts(ctx, d, tx, "SELECT name FROM pragma_table_info(?) WHERE pk = 1", t.name)
	if err == nil && !slices.Contains(primary, id) {
		all = append(all, sqliteIndex{name("id"), on(d.quote(id))})
	}
	return all, err
}

func (d sqliteDialect) create(ctx context.Context, tx *sql.Tx, name string) error {
	statements := []string{
		"CREATE TABLE IF NOT EXISTS " + d.quote(name) + " " + sqliteColumns(),
		"CREATE TABLE IF NOT EXISTS " + d.quote(counterTable) +
			" (table_name varchar(64) NOT NULL PRIMARY KEY, highest bigint NOT NULL)",
	}
	if err := execute(ctx, tx, statements...); err != nil {
		return err
	}
	f, err := d.look(ctx, tx, name)
	if err != nil {
		return err
	}
	indices, err := d.indices(ctx, tx, tableOf(name, f))
	if err != nil {
		return err
	}
	for _, i := range indices {
		if err := execute(ctx, tx, "CREATE INDEX IF NOT EXISTS "+d.quote(i.name)+" ON "+i.over); err != nil {
			return err
		}
	}
	return nil
}

func (sqliteDialect) has() string {
	return "SELECT name FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)"
}

func (d sqliteDialect) createNotes() string {
	return "CREATE TABLE IF NOT EXISTS " + d.quote(notesTable) +
		" (table_name varchar(64) NOT NULL, id varchar(255) NOT NULL, note varchar(512) NOT NULL, content varchar(24) NOT NULL, PRIMARY KEY (table_name, id))"
}

func (d sqliteDialect) keepNote() string {
	return "INSERT INTO " + d.quote(notesTable) + " (table_name, id, note, content) VALUES (?, ?, ?, ?) " +
		"ON CONFLICT (table_name, id) DO UPDATE SET note = excluded.note, content = excluded.content"
}

// sqliteColumns returns the columns as the SDKs declare them.
func sqliteColumns() string {
	var b strings.Builder
	b.WriteString("(")
	for _, c := range columns {
		fmt.Fprintf(&b, "%s varchar(%d)", c.name, c.size)
		if c.name == idColumn {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(", ")
	}
	b.WriteString("primary key (" + idColumn + "))")
	return b.String()
}

func execute(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return told(sqliteDialect{}, err)
		}
	}
	return nil
}

// upgrade copies the rows into a table of the present form, which takes the
// place of the old one. The order of the rows stays.
func (d sqliteDialect) upgrade(ctx context.Context, tx *sql.Tx, t *table) error {
	if len(t.others) > 0 {
		return fmt.Errorf("%w: the table has columns that an upgrade would lose (%s); move the tokens to a new table instead",
			tokenstore.ErrInvalidArgument, strings.Join(t.others, ", "))
	}
	foreign, err := texts(ctx, d, tx, "SELECT name FROM sqlite_master WHERE lower(tbl_name) = lower(?) "+
		"AND type IN ('index', 'trigger') AND sql IS NOT NULL AND name NOT LIKE 'tokenstore!_%' ESCAPE '!'", t.name)
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		return fmt.Errorf("%w: the table has indices or triggers that an upgrade would lose (%s); drop them first",
			tokenstore.ErrInvalidArgument, strings.Join(foreign, ", "))
	}
	to, from := []string{d.place()}, []string{d.place()}
	for i, c := range columns {
		if old := t.names[i]; old != "" {
			to = append(to, d.quote(c.name))
			from = append(from, "CAST("+d.quote(old)+" AS TEXT)")
		}
	}
	renewed, old := d.quote("tokenstore_upgrade"), d.quote(t.name)
	return execute(ctx, tx,
		"CREATE TABLE "+renewed+" "+sqliteColumns(),
		"INSERT INTO "+renewed+" ("+strings.Join(to, ", ")+") SELECT "+strings.Join(from, ", ")+" FROM "+old+" ORDER BY "+d.place(),
		"DROP TABLE "+old,
		"ALTER TABLE "+renewed+" RENAME TO "+old,
	)
}

// wipe moves the log of a database in WAL mode into the file and empties it:
// old pages are in it until then. In other modes it does nothing.
func (sqliteDialect) wipe(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
