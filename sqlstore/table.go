// Which form the table has, and how a token fits into it: the SDKs have had several.

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/rowstore"
)

const (
	idColumn     = "id"
	userColumn   = "user_name"
	expiryColumn = "expiry_time"
)

// column is a field of a token as the SDKs' table has it.
type column struct {
	rowstore.Column
	name string
	size int // as the SDKs declare it
}

// columns are the table's columns, in the order that the SDKs read them by.
var columns = sdkColumns()

func sdkColumns() []column {
	const size = 255
	all := make([]column, rowstore.Columns)
	for i := range all {
		c := rowstore.Column(i)
		all[i] = column{c, c.String(), size}
	}
	all[rowstore.IDColumn].size, all[rowstore.ExpiryColumn].size = 10, 20
	return all
}

// set sets the token's field to what a row holds.
func (c column) set(t *tokenstore.OAuthToken, s string) (err error) {
	if c.Column == rowstore.ExpiryColumn {
		t.Expiry, err = tokenstore.ParseExpiry(s)
		return err
	}
	*c.Text(t) = s
	return nil
}

// table is the form that the table has.
type table struct {
	name string
	// names are the names of the known columns as they are in this table, in
	// the order of columns; empty if it has no such column.
	names []string
	// others are the columns that are not known, and numbers those that hold numbers.
	others, numbers []string
	// collations are those of the columns whose strings are not UTF-8.
	collations map[string]string
	// aged says that what keeps the age of rows is there.
	aged bool
	// dirty says that only a transaction reads what is committed.
	dirty bool
	// lookUps are the queries for the oldest row, so that no find makes them again.
	lookUps map[lookUp]string
	// manyLookUps are the queries for many of them, and manyRows is that for many places.
	manyLookUps map[tokenstore.KeyKind]string
	manyRows    string
}

// tableOf says what a table of the given form is.
func tableOf(name string, f form) *table {
	t := &table{name: name, names: make([]string, len(columns)), numbers: f.numbers, collations: f.collations, aged: f.aged, dirty: f.dirty}
	understood, _ := rowstore.ColumnsOf(f.columns)
	for i, c := range understood {
		if c == rowstore.UnknownColumn {
			t.others = append(t.others, f.columns[i])
			continue
		}
		t.names[c] = f.columns[i]
	}
	return t
}

// column returns the name that a known column has in the table.
func (t *table) column(name string) string {
	for i, c := range columns {
		if c.name == name {
			return t.names[i]
		}
	}
	return ""
}

// present says whether the table has the form that the SDKs create.
func (t *table) present() bool {
	for i, c := range columns {
		if !strings.EqualFold(t.names[i], c.name) {
			return false
		}
	}
	return true
}

// absent says that the database has no such table.
func (t *table) absent() bool {
	return len(t.others) == 0 && !slices.ContainsFunc(t.names, func(name string) bool { return name != "" })
}

// usable returns an error if the table is not one of tokens.
func (t *table) usable() error {
	if t.column(idColumn) == "" || t.column("access_token") == "" || t.column("refresh_token") == "" {
		return fmt.Errorf("%w: table %s lacks one of the columns id, access_token and refresh_token, so it is not a table of tokens; check the table's name", tokenstore.ErrUnreadable, t.name)
	}
	return nil
}

// setUp looks at the table, and creates or changes it if that is needed and wanted.
// A process that may only read can still open a table that is there.
func (s *Store) setUp(ctx context.Context) error {
	t, complete, err := s.look(ctx)
	if err != nil {
		return err
	}
	if s.config.readOnly {
		if t.absent() {
			return fsfault.Missing("the database has no table " + t.name + "; check the path and the table's name")
		}
		s.use(t)
		return t.usable()
	}
	if complete && t.usable() == nil && (t.present() || !s.config.upgrade) {
		s.use(t)
		s.ready.Store(true)
		return nil
	}
	exists := t.column(idColumn) != ""
	err = s.prepare(ctx)
	if err != nil && exists && !s.config.upgrade && errors.Is(s.dialect.kind(err), tokenstore.ErrDenied) {
		s.use(t)
		return t.usable()
	}
	return err
}

// look reads the form of the table.
func (s *Store) look(ctx context.Context) (t *table, complete bool, err error) {
	err = s.repeat(ctx, reading, func(r *rows) error {
		f, err := s.dialect.look(ctx, r.tx, s.config.table)
		if t, complete = tableOf(s.config.table, f), f.complete; s.config.readOnly {
			t = t.withPlaces(s.dialect)
		}
		return err
	})
	return t, complete, err
}

// prepare makes what is missing.
func (s *Store) prepare(ctx context.Context) error {
	var t *table
	err := s.repeat(ctx, writing, func(r *rows) error {
		f, err := s.dialect.look(ctx, r.tx, s.config.table)
		if err != nil {
			return err
		}
		if t = tableOf(s.config.table, f); len(f.columns) > 0 {
			if err := t.usable(); err != nil {
				return err
			}
			if !t.present() && s.config.upgrade {
				if err := s.dialect.upgrade(ctx, r.tx, t); err != nil {
					return err
				}
			}
		}
		if err := s.dialect.create(ctx, r.tx, s.config.table); err != nil {
			return err
		}
		f, err = s.dialect.look(ctx, r.tx, s.config.table)
		t = tableOf(s.config.table, f)
		return err
	})
	if err != nil {
		return err
	}
	s.use(t)
	s.ready.Store(true)
	return nil
}

// lookAgain reads the form of the table again, creates what a writer needs and
// somebody removed, and reports whether anything changed.
func (s *Store) lookAgain(ctx context.Context, write bool) (changed bool, err error) {
	t, complete, err := s.look(ctx)
	if err != nil {
		return false, err
	}
	if err := t.usable(); err != nil {
		return false, err
	}
	if write && !complete {
		return true, s.prepare(ctx)
	}
	before := s.use(t)
	return !slices.Equal(before.names, t.names) || before.aged != t.aged || !maps.Equal(before.collations, t.collations), nil
}

// check returns an error if a value of token has no column in the table.
func (t *table) check(token tokenstore.OAuthToken) error {
	var missing []string
	for i, c := range columns {
		if t.names[i] == "" && c.Get(token) != "" {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the table has an older form without a column for %s; open it with WithUpgrade, or upgrade=true in a URL, to add it", tokenstore.ErrInvalidToken, strings.Join(missing, ", "))
}

// differing returns the names of the fields in which two tokens differ.
func differing(a, b tokenstore.OAuthToken) string {
	var names []string
	for _, c := range columns {
		if c.Get(a) != c.Get(b) {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

// textOf returns the string that a driver's value stands for.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case int64, uint64:
		return fmt.Sprint(v), true
	case time.Time: // Drivers make one of a column that is declared as a time.
		return tokenstore.FormatExpiry(v), true
	}
	return "", false
}
