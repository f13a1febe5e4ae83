// How MySQL and MariaDB do what a store needs.

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// MySQL returns the dialect of MySQL and MariaDB, for the driver
// github.com/go-sql-driver/mysql.
func MySQL() Dialect { return Dialect{mysqlDialect{}} }

type mysqlDialect struct{}

// ageTable keeps the order in which rows were inserted: the SDKs' table has nothing that
// tells it.
const ageTable = "tokenstore_rows"

// notNumber stands for the number of an ID that is none: such rows come after the others.
const notNumber = "999999999999999999"

func (mysqlDialect) identity() string { return "SELECT CURRENT_USER()" }

func (mysqlDialect) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// isolation locks what a writer reads, until it has written (SERIALIZABLE): the SDKs do not
// know the lock of claim.
func (mysqlDialect) isolation(write bool) *sql.TxOptions {
	if write {
		return &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

// claim makes writers take turns: each locks the table's row of the counter first.
func (d mysqlDialect) claim(table string) (statement string, args []any) {
	return "INSERT INTO " + d.quote(counterTable) + " (table_name, highest) VALUES (?, 0) " +
		"ON DUPLICATE KEY UPDATE highest = highest", []any{strings.ToLower(table)}
}

// place is nothing: the table's primary key is the ID.
func (mysqlDialect) place() string { return "" }

// layout is always the same: a row's place is its ID.
func (mysqlDialect) layout(context.Context, *sql.Tx) (int64, error) { return 1, nil }

// after goes by the primary key, in the column's own collation.
func (d mysqlDialect) after(t *table) (condition, order string) {
	name := t.column(idColumn)
	id := d.quote(name)
	return id + " > " + d.parameter(t, name), id
}

// order puts rows with an age first, and then those that an SDK has inserted since, by
// their numbers, which grow.
func (d mysqlDialect) order(t *table) string {
	id := t.column(idColumn)
	byNumber := d.number(id) + ", " + d.quote(t.name) + "." + d.quote(id)
	if !t.aged {
		return byNumber
	}
	return "COALESCE((" + d.age(t) + "), " + notNumber + "), " + byNumber
}

// age returns a query for the age of a row of the table.
func (d mysqlDialect) age(t *table) string {
	return "SELECT place FROM " + d.quote(ageTable) + " a WHERE a.table_name = '" + strings.ToLower(t.name) +
		"' AND a.id = " + d.bytes(d.quote(t.name)+"."+d.quote(t.column(idColumn)))
}

// placed gives the rows that an SDK has inserted their ages, or that of a new row.
func (d mysqlDialect) placed(run execer, t *table, id string) error {
	name := strings.ToLower(t.name)
	if id != "" {
		return run("REPLACE INTO "+d.quote(ageTable)+" (table_name, id) VALUES (?, ?)", name, id)
	}
	column := t.column(idColumn)
	return run("INSERT INTO "+d.quote(ageTable)+" (table_name, id) SELECT ?, "+d.bytes(d.quote(column))+
		" FROM "+d.quote(t.name)+" WHERE NOT EXISTS ("+d.age(t)+") ORDER BY "+d.number(column)+", "+d.quote(column), name)
}

func (d mysqlDialect) removed(run execer, t *table, id string) error {
	name := strings.ToLower(t.name)
	if id == "" {
		return run("DELETE FROM "+d.quote(ageTable)+" WHERE table_name = ?", name)
	}
	return run("DELETE FROM "+d.quote(ageTable)+" WHERE table_name = ? AND id = ?", name, id)
}

// equals compares twice: with the column's own collation, for the index, and byte for
// byte, since that collation may ignore case and spaces at the end. A column of numbers is
// compared as text alone: 7 is equal to '7abc'.
func (d mysqlDialect) equals(t *table, column string) string {
	exact := d.bytes(d.quote(column)) + " = CAST(? AS BINARY)"
	if slices.Contains(t.numbers, column) {
		return "? IS NOT NULL AND " + exact
	}
	return d.quote(column) + " = " + d.parameter(t, column) + " AND " + exact
}

// parameter returns a parameter that can be compared with a column: in the column's
// character set, in which characters that it lacks are question marks. The server refuses
// to compare these with a column itself.
func (mysqlDialect) parameter(t *table, column string) string {
	collation := t.collations[column]
	if collation == "" {
		return "?"
	}
	set, _, _ := strings.Cut(collation, "_")
	return "CONVERT(? USING " + set + ") COLLATE " + collation
}

// bytes returns the UTF-8 of an expression, whatever its character set.
func (mysqlDialect) bytes(expression string) string {
	return "CAST(CONVERT(" + expression + " USING utf8mb4) AS BINARY)"
}

// text takes bytes for text, since the driver returns text so. A binary column's are text
// if they are UTF-8, which the token's own check decides.
func (mysqlDialect) text(value any) (string, bool) {
	if b, ok := value.([]byte); ok {
		return string(b), true
	}
	return textOf(value)
}

// number returns the number that an ID is. It does not fail for one that is none.
func (d mysqlDialect) number(id string) string {
	c := d.quote(id)
	return fmt.Sprintf("IF(%s REGEXP '^[0-9]{1,%d}$', CAST(%s AS UNSIGNED), %s)", c, maxDigits, c, notNumber)
}

func (d mysqlDialect) highest(table, id string) string {
	c := d.quote(id)
	return fmt.Sprintf("SELECT MAX(CAST(%s AS UNSIGNED)) FROM %s WHERE %s REGEXP '^[0-9]{1,%d}$'", c, d.quote(table), c, maxDigits)
}

func (d mysqlDialect) remember() string {
	return "INSERT INTO " + d.quote(counterTable) + " (table_name, highest) VALUES (?, ?) " +
		"ON DUPLICATE KEY UPDATE highest = GREATEST(highest, VALUES(highest))"
}

func (mysqlDialect) has() string {
	return "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
}

// createNotes does nothing: a statement that creates a table would commit the transaction.
func (mysqlDialect) createNotes() string { return "" }

func (d mysqlDialect) keepNote() string {
	return "REPLACE INTO " + d.quote(notesTable) + " (table_name, id, note, content) VALUES (?, ?, ?, ?)"
}

// wipe does nothing: InnoDB clears what was deleted by itself, and its logs cannot be
// emptied by a client.
func (mysqlDialect) wipe(context.Context, *sql.DB) error { return nil }

// pairs returns the two columns of a query's rows.
func (d mysqlDialect) pairs(ctx context.Context, tx *sql.Tx, query string, args ...any) ([][2]string, error) {
	found, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, told(d, err)
	}
	defer func() { _ = found.Close() }()
	var all [][2]string
	for found.Next() {
		var p [2]string
		if err := found.Scan(&p[0], &p[1]); err != nil {
			return nil, told(d, err)
		}
		all = append(all, p)
	}
	return all, told(d, found.Err())
}

// upgrade changes the table in one statement, which happens wholly or not at all.
func (d mysqlDialect) upgrade(ctx context.Context, tx *sql.Tx, t *table) error {
	if len(t.others) > 0 {
		return fmt.Errorf("%w: the table has columns that an upgrade would lose (%s); move the tokens to a new table instead",
			tokenstore.ErrInvalidArgument, strings.Join(t.others, ", "))
	}
	var changes []string
	after := "FIRST"
	for i, c := range columns {
		form := fmt.Sprintf("%s varchar(%d)", d.quote(c.name), c.size)
		if c.name == idColumn {
			form += " NOT NULL"
		}
		if old := t.names[i]; old != "" {
			changes = append(changes, "CHANGE COLUMN "+d.quote(old)+" "+form+" "+after)
		} else {
			changes = append(changes, "ADD COLUMN "+form+" "+after)
		}
		after = "AFTER " + d.quote(c.name)
	}
	_, err := tx.ExecContext(ctx, "ALTER TABLE "+d.quote(t.name)+" "+strings.Join(changes, ", "))
	return told(d, err)
}
