// What is wrong with a database of MySQL or MariaDB: the connection, the columns, users that
// another program would take for one, and the rights of the account.

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// diagnose looks at the connection, at the character sets of the columns and at the users. The
// settings of the server do not matter: the store's connections have their own.
func (d mysqlDialect) diagnose(ctx context.Context, tx *sql.Tx, t *table) ([]tokenstore.Finding, error) {
	var findings []tokenstore.Finding
	ciphers, err := d.pairs(ctx, tx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
	if err != nil {
		return nil, err
	}
	hosts, err := texts(ctx, d, tx, "SELECT SUBSTRING_INDEX(USER(), '@', -1)")
	if err != nil {
		return nil, err
	}
	local := slices.ContainsFunc([]string{"localhost", "127.0.0.1", "::1"}, func(name string) bool { return slices.Contains(hosts, name) })
	if encrypted := len(ciphers) > 0 && ciphers[0][1] != ""; !encrypted && !local {
		findings = append(findings, tokenstore.Finding{
			Code: codeTLS, Severity: tokenstore.SeverityWarning, What: "the connection is not encrypted, and the server is not on this machine",
			Repair: "take tls=false out of the URL; if the server has no TLS, enable it there",
		})
	}
	var narrow []string
	for _, name := range t.names {
		if name != "" && t.collations[name] != "" {
			narrow = append(narrow, name)
		}
	}
	if len(narrow) > 0 {
		findings = append(findings, tokenstore.Finding{
			Code: codeCharset, Severity: tokenstore.SeverityNote, Where: t.name, What: "not every character fits into the columns " + strings.Join(narrow, ", ") + ": a token with another one cannot be saved",
			Repair: "ALTER TABLE " + d.quote(t.name) + " CONVERT TO CHARACTER SET utf8mb4",
		})
	}
	merged, err := d.merged(ctx, tx, t)
	return append(findings, merged...), err
}

// mostMerged is how many pairs of users a finding names.
const mostMerged = 20

// merged looks for users whose bytes differ and whom the column's collation takes for one, as
// it may if they differ by case, by accents or by spaces at the end. The server looks for them.
func (d mysqlDialect) merged(ctx context.Context, tx *sql.Tx, t *table) ([]tokenstore.Finding, error) {
	column := t.column(userColumn)
	if column == "" {
		return nil, nil
	}
	id, user := d.quote(t.column(idColumn)), d.quote(column)
	forms := fmt.Sprintf("SELECT %s AS user, MIN(%s) AS id FROM %s WHERE %s <> '' GROUP BY %s, %s", user, id, d.quote(t.name), user, user, d.bytes(user))
	pairs, err := d.pairs(ctx, tx, fmt.Sprintf("SELECT MIN(id), GROUP_CONCAT(id ORDER BY id SEPARATOR ' and ') FROM (%s) AS forms GROUP BY user HAVING COUNT(*) > 1 ORDER BY 1 LIMIT %d",
		forms, mostMerged+1))
	if err != nil || len(pairs) == 0 {
		return nil, err
	}
	var tokens []string
	for i, p := range pairs {
		if i == mostMerged {
			tokens = append(tokens, "others")
			break
		}
		tokens = append(tokens, p[1])
	}
	return []tokenstore.Finding{{
		Code: codeMerged, Severity: tokenstore.SeverityWarning, Where: t.name,
		What: "the users of these tokens differ, for example by case, but not to the collation of the column " + column + ": " + strings.Join(tokens, "; ") +
			". This store tells them apart; an SDK that shares the table may take the wrong token",
		Repair: "if they are one person, run {name} delete {store} ID for the one that is not in use; if not, give the column a collation that compares bytes: utf8mb4_0900_bin, or utf8mb4_nopad_bin on MariaDB",
	}}, nil
}

// rightCreate is the right to create a table that is not there.
const rightCreate = "CREATE"

// rights tries each statement that a role needs, on no row of any table of the store. INDEX and
// ALTER, which an operator has as well, cannot be tried without a change.
func (d mysqlDialect) rights(ctx context.Context, db *sql.DB, t *table, role tokenstore.Role) ([]tokenstore.Finding, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, told(d, err)
	}
	defer func() { _ = tx.Rollback() }() // Nothing was changed.
	needed := role
	if role == tokenstore.RoleOperator {
		needed = tokenstore.RoleWriter
	}
	var all []*refusal
	for _, g := range mysqlGrants(needed, t.name, false) {
		for _, right := range g.rights {
			err := d.try(ctx, tx, t, right, g.table)
			absent := mysqlCode(err) == mysqlNoTable
			if absent && role != tokenstore.RoleReader { // The first save creates it.
				right, err = rightCreate, d.try(ctx, tx, t, rightCreate, g.table)
			}
			switch {
			case errors.Is(d.kind(err), tokenstore.ErrDenied):
				all = refuse(all, right, g.table, err)
			case err != nil && !absent:
				return nil, told(d, err)
			}
			if absent {
				break
			}
		}
	}
	var findings []tokenstore.Finding
	for _, r := range all {
		findings = append(findings, d.refused(r, t, role))
	}
	return findings, nil
}

// try runs a statement that needs a right, and that right alone. It changes nothing: it is about
// no row, or names a column twice, which the server refuses after it has looked at the rights.
// IGNORE is for the other columns, which may have no default.
func (d mysqlDialect) try(ctx context.Context, tx *sql.Tx, t *table, right, name string) error {
	column := "id"
	switch name {
	case t.name:
		column = t.column(idColumn)
	case counterTable:
		column = "table_name"
	}
	column, name = d.quote(column), d.quote(name)
	_, err := tx.ExecContext(ctx, map[string]string{
		"SELECT":    "SELECT " + column + " FROM " + name + " WHERE 1 = 0",
		"INSERT":    "INSERT IGNORE INTO " + name + " (" + column + ") SELECT '0' FROM DUAL WHERE 1 = 0",
		"UPDATE":    "UPDATE " + name + " SET " + column + " = '0' WHERE 1 = 0",
		"DELETE":    "DELETE FROM " + name + " WHERE 1 = 0",
		rightCreate: "CREATE TABLE " + name + " (id int, id int)",
	}[right])
	if code := mysqlCode(err); right == rightCreate && (code == mysqlColumnTwice || code == mysqlTableThere) {
		return nil
	}
	return err
}

// refusal is a right that the account lacks for some tables.
type refusal struct {
	right  string
	tables []string
	err    error
}

func refuse(all []*refusal, right, table string, err error) []*refusal {
	i := slices.IndexFunc(all, func(r *refusal) bool { return r.right == right })
	if i < 0 {
		return append(all, &refusal{right, []string{table}, err})
	}
	all[i].tables = append(all[i].tables, table)
	return all
}

// refused returns the finding for a right that the account lacks.
func (d mysqlDialect) refused(r *refusal, t *table, role tokenstore.Role) tokenstore.Finding {
	f := tokenstore.Finding{
		Code: deniedPrefix + strings.ToLower(r.right), Severity: tokenstore.SeverityError, Where: strings.Join(r.tables, ", "),
		What:   "the account may not " + strings.ToLower(r.right) + " rows: " + d.words(r.err),
		Repair: fmt.Sprintf("grant what {name} policy {store} --role %s prints", role),
	}
	switch {
	case mysqlCodes[mysqlCode(r.err)].says == adviceReadOnly: // No grant makes a replica writable.
		f.Repair = "put the address of the primary server into the URL, or make this server writable"
	case r.right == rightCreate:
		f.What = "the store's own tables next to the token table are not there, and the account may not create them: " + d.words(r.err)
		f.Repair = "save a token once with the rights that {name} policy {store} --role operator prints"
	case role == tokenstore.RoleReader && !slices.Contains(r.tables, t.name):
		f.Severity = tokenstore.SeverityNote // The server does not say whether they are there.
		f.What = "the account may not read these tables: if they are there, it sees tokens in another order, and no notes of them"
	}
	return f
}
