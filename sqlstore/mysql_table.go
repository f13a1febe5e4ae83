// The tables that a store needs in MySQL: what is there, and what is missing. Statements
// that create something commit at once, so each of them may be repeated, and runs only if
// it is needed: an account without the right to create tables can use those that are
// there.

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"example.com/tokenstore"
)

var (
	// textual matches the types whose values are strings.
	textual = regexp.MustCompile(`char|text|binary|blob`)
	// otherCollation matches a collation that belongs to one character set; binary does not.
	otherCollation = regexp.MustCompile(`^[a-z0-9]+_[a-z0-9_]+$`)
)

func (d mysqlDialect) look(ctx context.Context, tx *sql.Tx, table string) (form, error) {
	types, err := d.pairs(ctx, tx, "SELECT column_name, CONCAT(data_type, ' ', COALESCE(collation_name, '')) FROM information_schema.columns "+
		"WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position", table)
	if err != nil || len(types) == 0 {
		return form{}, err
	}
	var f form
	f.collations = map[string]string{}
	for _, c := range types {
		f.columns = append(f.columns, c[0])
		kind, collation, _ := strings.Cut(c[1], " ")
		switch {
		case !textual.MatchString(kind):
			f.numbers = append(f.numbers, c[0])
		case otherCollation.MatchString(collation) && !strings.HasPrefix(collation, "utf8mb4_"):
			f.collations[c[0]] = collation
		}
	}
	tables, err := d.pairs(ctx, tx, "SELECT table_name, COALESCE(engine, '') FROM information_schema.tables "+
		"WHERE table_schema = DATABASE() AND table_name IN (?, ?, ?, ?)", table, counterTable, ageTable, notesTable)
	if err != nil {
		return form{}, err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(tables, func(t [2]string) bool { return strings.EqualFold(t[0], name) })
	}
	for _, t := range tables {
		if t[1] == "" {
			return form{}, fmt.Errorf("%w: %s is a view; name a table", tokenstore.ErrInvalidArgument, t[0])
		}
		if !strings.EqualFold(t[1], "InnoDB") {
			return form{}, fmt.Errorf("%w: %s must be a table of the engine InnoDB, which alone has transactions; run ALTER TABLE %s ENGINE=InnoDB",
				tokenstore.ErrInvalidArgument, t[0], t[0])
		}
	}
	isolation, err := d.pairs(ctx, tx, "SHOW VARIABLES WHERE variable_name IN ('transaction_isolation', 'tx_isolation')")
	if err != nil {
		return form{}, err
	}
	f.dirty = slices.ContainsFunc(isolation, func(v [2]string) bool { return v[1] == "READ-UNCOMMITTED" })
	missing, err := d.missingIndices(ctx, tx, tableOf(table, f))
	f.aged, f.complete = has(ageTable), has(ageTable) && has(counterTable) && has(notesTable) && len(missing) == 0
	return f, err
}

// missingIndices returns the columns of keys that no index begins with. It returns an error
// if the IDs are not unique: they identify the rows.
func (d mysqlDialect) missingIndices(ctx context.Context, tx *sql.Tx, t *table) ([]string, error) {
	first, err := d.pairs(ctx, tx, "SELECT column_name, MIN(non_unique) FROM information_schema.statistics s "+
		"WHERE table_schema = DATABASE() AND table_name = ? AND seq_in_index = 1 GROUP BY column_name", t.name)
	if err != nil {
		return nil, err
	}
	unique, err := texts(ctx, d, tx, "SELECT MIN(column_name) FROM information_schema.statistics "+
		"WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0 AND sub_part IS NULL GROUP BY index_name HAVING COUNT(*) = 1", t.name)
	if err != nil {
		return nil, err
	}
	if id := t.column(idColumn); id != "" && !slices.Contains(unique, id) {
		return nil, fmt.Errorf("%w: column %s of %s must be the primary key or have a unique index; add one", tokenstore.ErrInvalidArgument, id, t.name)
	}
	var missing []string
	for _, known := range keyColumns {
		c := t.column(known)
		if c != "" && !slices.ContainsFunc(first, func(has [2]string) bool { return has[0] == c }) {
			missing = append(missing, c)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

func (d mysqlDialect) create(ctx context.Context, tx *sql.Tx, name string) error {
	present, err := texts(ctx, d, tx, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?, ?, ?, ?)",
		name, counterTable, ageTable, notesTable)
	if err != nil {
		return err
	}
	collation, err := d.collation(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range []struct{ name, columns string }{
		{name, d.columns()},
		{counterTable, "(table_name varchar(64) CHARACTER SET ascii NOT NULL PRIMARY KEY, highest bigint NOT NULL)"},
		{ageTable, "(place bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, table_name varchar(64) CHARACTER SET ascii NOT NULL, " +
			fmt.Sprintf("id varbinary(%d) NOT NULL, UNIQUE KEY row_of (table_name, id))", 4*mysqlIDSize)},
		{notesTable, "(table_name varchar(64) CHARACTER SET ascii NOT NULL, " +
			fmt.Sprintf("id varbinary(%d) NOT NULL, note mediumtext NOT NULL, content varchar(255) NOT NULL, PRIMARY KEY (table_name, id))", 4*mysqlIDSize)},
	} {
		if slices.ContainsFunc(present, func(has string) bool { return strings.EqualFold(has, c.name) }) {
			continue
		}
		//nolint:gosec // Only names: that of the table is checked, and the collation is one of three.
		statement := "CREATE TABLE IF NOT EXISTS " + d.quote(c.name) + " " + c.columns + " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=" + collation
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return told(d, err)
		}
	}
	return d.index(ctx, tx, name)
}

// mysqlIDSize is the length of an ID in characters: the longest that a primary key, and the
// key of ageTable, can hold.
const mysqlIDSize = 700

// columns returns the columns of a new table. They have the SDKs' names and order, and hold
// more than the SDKs' do: a longer ID, and tokens of any length.
func (d mysqlDialect) columns() string {
	var b strings.Builder
	b.WriteString("(")
	for _, c := range columns {
		switch c.name {
		case idColumn:
			fmt.Fprintf(&b, "%s varchar(%d) NOT NULL, ", c.name, mysqlIDSize)
		case expiryColumn:
			fmt.Fprintf(&b, "%s varchar(%d), ", c.name, c.size)
		default:
			fmt.Fprintf(&b, "%s mediumtext, ", c.name)
		}
	}
	b.WriteString("PRIMARY KEY (" + idColumn + "))")
	return b.String()
}

// collation returns the server's collation for new tables: one by which strings are equal
// only if all their bytes are, which with most collations they need not be. Of these, the
// last one ignores spaces at the end.
func (d mysqlDialect) collation(ctx context.Context, tx *sql.Tx) (string, error) {
	wanted := []string{"utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin"}
	has, err := texts(ctx, d, tx, "SELECT collation_name FROM information_schema.collations WHERE collation_name IN (?, ?, ?)", wanted[0], wanted[1], wanted[2])
	for _, name := range wanted {
		if slices.Contains(has, name) {
			return name, nil
		}
	}
	return wanted[2], err
}

// index creates the missing indices. An account that may not do that uses the table without
// them.
func (d mysqlDialect) index(ctx context.Context, tx *sql.Tx, name string) error {
	f, err := d.look(ctx, tx, name)
	if err != nil {
		return err
	}
	missing, err := d.missingIndices(ctx, tx, tableOf(name, f))
	if err != nil {
		return err
	}
	for _, column := range missing {
		if slices.Contains(f.numbers, column) {
			continue
		}
		// A part of the value is enough, and keeps the index below every limit.
		index := d.quote("tokenstore_" + column)
		_, err := tx.ExecContext(ctx, "CREATE INDEX "+index+" ON "+d.quote(name)+" ("+d.quote(column)+"(64))")
		switch {
		case err == nil || mysqlCode(err) == mysqlDuplicateIndex:
		case errors.Is(d.kind(err), tokenstore.ErrDenied) || mysqlCode(err) == mysqlIndexPrefix:
		default:
			return told(d, err)
		}
	}
	return nil
}
