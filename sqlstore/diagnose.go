// What is wrong with the database: its file, its table, and what the account may do.

package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/filecheck"
)

var _ tokenstore.Diagnoser = (*Store)(nil)

// The codes of the findings, beside those of every store and of a file's permissions.
const (
	codeColumn   = "column-missing"
	codeOwner    = "file-owner"
	codeDamaged  = "database-damaged"
	codeTLS      = "not-encrypted"
	codeCharset  = "column-charset"
	codeMerged   = "users-merged"
	deniedPrefix = "denied-"
)

// Diagnose implements tokenstore.Diagnoser. It writes nothing: the rights of an account are
// tried with statements that no row fits, in a transaction that is rolled back, or that the
// server refuses after it has checked the rights. What
// [Store.Warnings] reports of single tokens is not in it.
func (s *Store) Diagnose(ctx context.Context, role tokenstore.Role) ([]tokenstore.Finding, error) {
	var findings []tokenstore.Finding
	if s.path != "" {
		findings = s.fileFindings(role)
	}
	var found []tokenstore.Finding
	err := s.transaction(ctx, false, func(r *rows) (err error) {
		found, err = s.tableFindings(ctx, r)
		return err
	})
	if err == nil {
		var more []tokenstore.Finding
		more, err = s.dialect.rights(ctx, s.db, s.table.Load(), role)
		found = append(found, more...)
	}
	if cause := ctx.Err(); cause != nil {
		return nil, s.failed(ctx, "diagnose", "", cause)
	}
	if err != nil {
		found = append(found, filecheck.Failed(s.failed(ctx, "diagnose", "", err)))
	}
	return append(findings, found...), nil
}

// fileFindings looks at the file of a database, and at those that SQLite keeps beside it.
func (s *Store) fileFindings(role tokenstore.Role) []tokenstore.Finding {
	path := s.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	beside := []string{path + "-journal", path + "-wal", path + "-shm"}
	findings := filecheck.Modes(append([]string{path}, beside...)...)
	for _, name := range beside {
		if !filecheck.SameOwner(path, name) {
			findings = append(findings, tokenstore.Finding{
				Code: codeOwner, Severity: tokenstore.SeverityWarning, Where: name, What: "it has another owner than the database, whose owner may not be able to write it",
				Repair: "chown --reference=" + filecheck.Quote(path) + " " + filecheck.Quote(name),
			})
		}
	}
	if role != tokenstore.RoleReader {
		if err := filecheck.MayCreate(filepath.Dir(path)); err != nil || !mayWrite(path) {
			findings = append(findings, filecheck.Denied(path, cmp.Or(err, tokenstore.ErrDenied)))
		}
	}
	return findings
}

func (s *Store) tableFindings(ctx context.Context, r *rows) ([]tokenstore.Finding, error) {
	findings, err := s.dialect.diagnose(ctx, r.tx, r.table)
	for i := range findings {
		findings[i].Repair = strings.ReplaceAll(findings[i].Repair, "{file}", filecheck.Quote(s.path))
	}
	var missing []string
	for i, c := range columns {
		if r.table.names[i] == "" {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		findings = append(findings, tokenstore.Finding{
			Code: codeColumn, Severity: tokenstore.SeverityWarning, Where: r.table.name, What: "the table has no column " + strings.Join(missing, ", ") + ": a token with such a value cannot be saved",
			Repair: "{name} doctor {store+upgrade=true} --repair, unless an SDK that knows only the old table still uses it",
			Mends:  s.config.upgrade, // Opening the table for writing upgrades it.
		})
	}
	return findings, err
}

// Mend implements tokenstore.Diagnoser.
func (s *Store) Mend(ctx context.Context, findings []tokenstore.Finding) error {
	return s.failed(ctx, "mend", "", filecheck.Mend(ctx, findings))
}

// diagnose lets SQLite check the file. Its words name tables and rows, and are not shown.
func (d sqliteDialect) diagnose(ctx context.Context, tx *sql.Tx, _ *table) ([]tokenstore.Finding, error) {
	said, err := texts(ctx, d, tx, "PRAGMA integrity_check(100)")
	if err != nil && !errors.Is(d.kind(err), tokenstore.ErrUnreadable) {
		return nil, err
	}
	if err == nil && slices.Equal(said, []string{"ok"}) {
		return nil, nil
	}
	f := tokenstore.Finding{
		Code: codeDamaged, Severity: tokenstore.SeverityError, What: "SQLite's integrity_check finds the file damaged", Err: err,
		Repair: "restore a backup, or save what can be read: sqlite3 {file} .recover | sqlite3 recovered.db",
	}
	inIndex := func(line string) bool {
		return strings.Contains(line, " index ") || strings.Contains(line, " in index ")
	}
	if err == nil && len(said) > 0 && !slices.ContainsFunc(said, func(line string) bool { return !inIndex(line) }) {
		f.What, f.Repair = "SQLite's integrity_check finds indices that do not fit their table", "sqlite3 {file} REINDEX"
	}
	return []tokenstore.Finding{f}, nil
}

// rights does nothing: SQLite asks the file system.
func (sqliteDialect) rights(context.Context, *sql.DB, *table, tokenstore.Role) ([]tokenstore.Finding, error) {
	return nil, nil
}
