// The table as one transaction reads and changes it. Each change is read back in the
// same transaction: a trigger, a column of another type, or another database may have
// made something else of it, or nothing.

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.com/tokenstore"
)

// rows is the table as one transaction sees it; it implements rowstore.Notes.
type rows struct {
	ctx   context.Context //nolint:containedctx // of the one operation that rows lives for
	tx    *sql.Tx         // nil if there is no transaction: then only one query is made
	store *Store
	table *table
	// read holds, by ID, what else is known of the rows that were read.
	read map[string]readRow
	// noted says whether there is a table of notes.
	noted known
	// highest is the highest number that is an ID, once it was looked for, and counted what the
	// counter said, once it was read. raised is what the counter is raised to at the end.
	highest, counted *sql.NullInt64
	raised           int64
	// aged says that every row that there was before the first insert has an age.
	aged bool
	// unverified are, by ID, the rows that are to be read back at the end; nil if each is read
	// back at once.
	unverified map[string]tokenstore.OAuthToken
	// statements are the prepared statements of the transaction, by their text; nil for one
	// that was used once.
	statements map[string]*sql.Stmt
	// scanned are the values of a row that is being read, and pointers point to them.
	scanned, pointers []any
}

// readRow is what is known of a row beside its token.
type readRow struct {
	place any
	// oddExpiry says that the row has an expiry that cannot be understood. It
	// stays until the token has one, or another access token.
	oddExpiry bool
	token     tokenstore.OAuthToken
}

// keepsExpiry reports whether the row keeps its expiry when it is updated to t.
func (r readRow) keepsExpiry(t tokenstore.OAuthToken) bool {
	return r.oddExpiry && t.Expiry.IsZero() && t.AccessToken == r.token.AccessToken
}

// ByID returns the row with the given ID.
func (r *rows) ByID(id string) (tokenstore.OAuthToken, bool, error) {
	return r.first(r.oldest(tokenstore.Key{}, false), id, id)
}

// ByKey returns the oldest row that holds the key; with ownerless set, the
// oldest of those without a user.
func (r *rows) ByKey(key tokenstore.Key, ownerless bool) (tokenstore.OAuthToken, bool, error) {
	if key.Value == "" || r.table.column(keyColumns[key.Kind]) == "" {
		return tokenstore.OAuthToken{}, false, nil
	}
	return r.first(r.oldest(key, ownerless), key.Value, key.Value)
}

// one scans the first row of a query, and reports whether there is one.
func (r *rows) one(query string, args []any, into ...any) (bool, error) {
	found, err := r.query(query, args...)
	if err != nil {
		return false, r.told(err)
	}
	defer func() { _ = found.Close() }()
	if !found.Next() {
		return false, r.told(found.Err())
	}
	if err := found.Scan(into...); err != nil {
		return false, r.told(err)
	}
	return true, r.told(found.Close())
}

// first returns the row of a query for the oldest row.
func (r *rows) first(query string, args ...any) (tokenstore.OAuthToken, bool, error) {
	found, err := r.query(query, args...)
	if err != nil {
		return tokenstore.OAuthToken{}, false, r.told(err)
	}
	defer func() { _ = found.Close() }()
	if !found.Next() {
		return tokenstore.OAuthToken{}, false, r.told(found.Err())
	}
	t, row, err := r.scan(found)
	if err != nil {
		return tokenstore.OAuthToken{}, false, err
	}
	if r.tx != nil {
		if r.read == nil {
			r.read = map[string]readRow{}
		}
		r.read[t.ID] = row
	}
	return t, true, r.told(found.Close())
}

// told returns an error of the database in our own words.
func (r *rows) told(err error) error { return told(r.store.dialect, err) }

// unreadableError says which row cannot be read, and why. It holds no value.
type unreadableError struct {
	place  any
	id     string
	reason string
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("row %v (id %q): %s", e.place, tokenstore.Redact(e.id), e.reason)
}

func (e *unreadableError) Unwrap() error { return tokenstore.ErrUnreadable }

func (r *rows) unreadable(place any, id string, err error) *unreadableError {
	if text, ok := r.store.dialect.text(place); ok {
		place = text
	}
	return &unreadableError{place, id, err.Error()}
}

// scan reads the current row of a selection.
func (r *rows) scan(from *sql.Rows) (tokenstore.OAuthToken, readRow, error) {
	values, err := r.raw(from, 0)
	if err != nil {
		return tokenstore.OAuthToken{}, readRow{}, err
	}
	place := values[0]
	t, oddExpiry, err := r.token(values[1:])
	if err != nil {
		return tokenstore.OAuthToken{}, readRow{place: place}, r.unreadable(place, t.ID, err)
	}
	return t, readRow{place, oddExpiry, t}, nil
}

// raw returns the current row of a selection with so many other columns: its place and
// the values, which the next row overwrites.
func (r *rows) raw(from *sql.Rows, others int) ([]any, error) {
	n := 1 + others
	for _, name := range r.table.names {
		if name != "" {
			n++
		}
	}
	if len(r.scanned) != n {
		r.scanned, r.pointers = make([]any, n), make([]any, n)
		for i := range r.scanned {
			r.pointers[i] = &r.scanned[i]
		}
	}
	values := r.scanned
	err := from.Scan(r.pointers...)
	if text, ok := values[0].([]byte); ok { // MySQL's, whose places are IDs.
		values[0] = string(text)
	}
	return values, r.told(err)
}

// token makes a token of the values of the known columns. An expiry that cannot be
// understood is an unknown one.
func (r *rows) token(values []any) (t tokenstore.OAuthToken, oddExpiry bool, err error) {
	for i, c := range columns {
		if r.table.names[i] == "" {
			continue
		}
		s, ok := r.store.dialect.text(values[0])
		values = values[1:]
		switch {
		case c.name == expiryColumn:
			oddExpiry = !ok || c.set(&t, s) != nil
		case !ok:
			return t, false, fmt.Errorf("the value of %s is not text", c.name)
		case c.set(&t, s) != nil:
			return t, false, fmt.Errorf("the value of %s cannot be understood", c.name)
		}
	}
	if t.ID == "" {
		return t, false, errors.New("the row has no ID")
	}
	if err := t.Validate(); err != nil {
		return t, false, errors.New("a value is not valid UTF-8")
	}
	return t, oddExpiry, nil
}

// scanAll calls do with every row of a selection, or with what is wrong with it.
func (r *rows) scanAll(selection string, args []any, do func(tokenstore.OAuthToken, readRow, *unreadableError)) error {
	found, err := r.query(selection, args...)
	if err != nil {
		return r.told(err)
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		t, row, err := r.scan(found)
		var bad *unreadableError
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		do(t, row, bad)
	}
	return r.told(found.Err())
}

// exec runs a statement that is prepared if it is used often.
func (r *rows) exec(statement string, args ...any) error {
	_, err := r.run(statement, args...)
	return r.told(err)
}

// execPlain runs a statement that is never prepared: it changes the schema, or is one that a
// server does not prepare.
func (r *rows) execPlain(statement string) error {
	_, err := r.tx.ExecContext(r.ctx, statement)
	return r.told(err)
}

// Insert adds a row behind all others.
func (r *rows) Insert(row tokenstore.OAuthToken) error {
	if err := r.table.check(row); err != nil {
		return err
	}
	r.remember(row.ID)
	d := r.store.dialect
	if !r.aged {
		if err := r.told(d.placed(r.exec, r.table, "")); err != nil {
			return err
		}
		r.aged = true
	}
	names, args := r.values(row)
	for i, name := range names {
		names[i] = d.quote(name)
	}
	marks := strings.Repeat(", ?", len(names))[2:]
	statement := "INSERT INTO " + d.quote(r.table.name) + " (" + strings.Join(names, ", ") + ") VALUES (" + marks + ")"
	if err := r.exec(statement, args...); err != nil {
		return err
	}
	if err := r.dropNote(row.ID); err != nil { // That of a row which somebody else has deleted.
		return err
	}
	if err := r.told(d.placed(r.exec, r.table, row.ID)); err != nil {
		return err
	}
	if r.unverified != nil {
		r.unverified[row.ID] = row
		return nil
	}
	return r.verify(row, r.oldest(tokenstore.Key{}, false), row.ID, row.ID)
}

// Update replaces the row with the ID of row, and keeps its place.
func (r *rows) Update(row tokenstore.OAuthToken) error {
	if err := r.table.check(row); err != nil {
		return err
	}
	d := r.store.dialect
	read := r.read[row.ID]
	if want, ok := r.unverified[row.ID]; ok && read.token != want {
		return differs(read.token, want) // Else what it lost would be taken for what it is.
	}
	names, args := r.values(row)
	var set []string
	var values []any
	for i, name := range names {
		// The ID stays as it is, and so does an expiry that a person has to see to.
		if name == r.table.column(idColumn) || name == r.table.column(expiryColumn) && read.keepsExpiry(row) {
			continue
		}
		set = append(set, d.quote(name)+" = ?")
		values = append(values, args[i])
	}
	condition, place := r.equalsPlace(), any(row.ID)
	if r.store.dialect.place() != "" {
		place = read.place
	}
	at := r.atPlace(place)
	statement := "UPDATE " + d.quote(r.table.name) + " SET " + strings.Join(set, ", ") + " WHERE " + condition
	if err := r.exec(statement, append(values, at...)...); err != nil {
		return err
	}
	if err := r.carryNote(read.token, row); err != nil {
		return err
	}
	if r.unverified != nil {
		r.unverified[row.ID] = row
		return nil
	}
	return r.verify(row, r.selection(condition)+" LIMIT 1", at...)
}

// values returns the table's columns and what they shall hold. Empty is NULL.
func (r *rows) values(row tokenstore.OAuthToken) (names []string, args []any) {
	for i, c := range columns {
		if r.table.names[i] == "" {
			continue
		}
		names = append(names, r.table.names[i])
		args = append(args, sql.NullString{String: c.Get(row), Valid: c.Get(row) != ""})
	}
	return names, args
}

// verify returns an error if the row that was written reads otherwise: a column of
// another type makes 7 of "007", another database cuts off what is too long, and a
// trigger may do anything.
func (r *rows) verify(want tokenstore.OAuthToken, query string, args ...any) error {
	got, ok, err := r.first(query, args...)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: the table does not hold the row after it was written; the column id may not hold this ID, or a trigger may drop the row",
			tokenstore.ErrInvalidToken)
	}
	if got != want {
		return differs(got, want)
	}
	return nil
}

// differs is the error of a row that reads otherwise than it was written.
func differs(got, want tokenstore.OAuthToken) error {
	return fmt.Errorf("%w: the row reads otherwise after it was written (%s); its columns may not hold these values, or a trigger may change them",
		tokenstore.ErrInvalidToken, differing(got, want))
}

// delete removes the row with the given ID.
func (r *rows) delete(id string) error {
	d := r.store.dialect
	statement := "DELETE FROM " + d.quote(r.table.name) + " WHERE " + r.equals(idColumn)
	result, err := r.run(statement, id, id)
	if err != nil {
		return r.kept(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return r.told(err)
	}
	if n > 0 {
		r.remember(id)
		if err := r.told(d.removed(r.exec, r.table, id)); err != nil {
			return err
		}
	}
	if err := r.dropNote(id); err != nil {
		return err
	}
	return r.gone(r.equals(idColumn), id, id)
}

// deleteAll removes all rows.
func (r *rows) deleteAll() error {
	d := r.store.dialect
	highest, err := r.highestStored()
	if err != nil {
		return err
	}
	if highest.Valid {
		r.remember(strconv.FormatInt(highest.Int64, 10))
	}
	//nolint:gosec // The table's name is checked.
	if _, err := r.tx.ExecContext(r.ctx, "DELETE FROM "+d.quote(r.table.name)); err != nil {
		return r.kept(err)
	}
	if err := r.dropNotes(); err != nil {
		return err
	}
	if err := r.told(d.removed(r.exec, r.table, "")); err != nil {
		return err
	}
	return r.gone("")
}

// kept returns the error of a delete. One that the table refuses says nothing about
// a token.
func (r *rows) kept(err error) error {
	err = r.told(err)
	if errors.Is(r.store.dialect.kind(err), tokenstore.ErrInvalidToken) {
		return fmt.Errorf("%w: the row cannot be deleted: %w", tokenstore.ErrDenied, err)
	}
	return err
}

// gone returns an error if the table still has a row for which the condition is
// true: a trigger can undo a delete, or keep it from happening, without an error.
func (r *rows) gone(condition string, args ...any) error {
	found, err := r.query(r.selection(condition)+" LIMIT 1", args...)
	if err != nil {
		return r.told(err)
	}
	defer func() { _ = found.Close() }()
	if found.Next() {
		return errKept
	}
	return r.told(found.Err())
}
