// Which form the table has, and how a token fits into it: the SDKs have had several.

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
)

// column says which field of a token a column holds.
type column struct {
	name string
	size int // as the SDKs declare it
	get  func(*tokenstore.OAuthToken) string
	set  func(*tokenstore.OAuthToken, string) error
}

// text is a column for a text field.
func text(name string, size int, field func(*tokenstore.OAuthToken) *string) column {
	return column{name, size,
		func(t *tokenstore.OAuthToken) string { return *field(t) },
		func(t *tokenstore.OAuthToken, s string) error { *field(t) = s; return nil },
	}
}

const (
	idColumn     = "id"
	userColumn   = "user_name"
	mailColumn   = "user_mail" // what older SDKs call the user's column
	expiryColumn = "expiry_time"
)

// columns are the table's columns, in the order that the SDKs read them by.
var columns = []column{
	text(idColumn, 10, func(t *tokenstore.OAuthToken) *string { return &t.ID }),
	text(userColumn, 255, func(t *tokenstore.OAuthToken) *string { return &t.UserName }),
	text("client_id", 255, func(t *tokenstore.OAuthToken) *string { return &t.ClientID }),
	text("client_secret", 255, func(t *tokenstore.OAuthToken) *string { return &t.ClientSecret }),
	text("refresh_token", 255, func(t *tokenstore.OAuthToken) *string { return &t.RefreshToken }),
	text("access_token", 255, func(t *tokenstore.OAuthToken) *string { return &t.AccessToken }),
	text("grant_token", 255, func(t *tokenstore.OAuthToken) *string { return &t.GrantToken }),
	{expiryColumn, 20,
		func(t *tokenstore.OAuthToken) string { return tokenstore.FormatExpiry(t.Expiry) },
		func(t *tokenstore.OAuthToken, s string) (err error) {
			t.Expiry, err = tokenstore.ParseExpiry(s)
			return err
		}},
	text("redirect_url", 255, func(t *tokenstore.OAuthToken) *string { return &t.RedirectURL }),
	text("api_domain", 255, func(t *tokenstore.OAuthToken) *string { return &t.APIDomain }),
}

// table is the form that the table has.
type table struct {
	name string
	// names are the names of the known columns as they are in this table, in
	// the order of columns; empty if it has no such column.
	names []string
	// others are the columns that are not known.
	others []string
}

// tableOf says what a table with the given columns is.
func tableOf(name string, has []string) *table {
	t := &table{name: name, names: make([]string, len(columns))}
	for _, h := range has {
		i := slices.IndexFunc(columns, func(c column) bool { return strings.EqualFold(c.name, h) })
		if i < 0 {
			t.others = append(t.others, h)
			continue
		}
		t.names[i] = h
	}
	mail := slices.IndexFunc(t.others, func(h string) bool { return strings.EqualFold(h, mailColumn) })
	if t.column(userColumn) == "" && mail >= 0 {
		t.names[1] = t.others[mail]
		t.others = slices.Delete(t.others, mail, mail+1)
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
		s.table.Store(t)
		return t.usable()
	}
	if complete && t.usable() == nil && (t.present() || !s.config.upgrade) {
		s.table.Store(t)
		s.ready.Store(true)
		return nil
	}
	exists := t.column(idColumn) != ""
	err = s.prepare(ctx)
	if err != nil && exists && !s.config.upgrade && errors.Is(s.dialect.kind(err), tokenstore.ErrDenied) {
		s.table.Store(t)
		return t.usable()
	}
	return err
}

// look reads the form of the table.
func (s *Store) look(ctx context.Context) (t *table, complete bool, err error) {
	err = s.repeat(ctx, false, func(r *rows) error {
		has, all, err := s.dialect.look(ctx, r.tx, s.config.table)
		t, complete = tableOf(s.config.table, has), all
		return err
	})
	return t, complete, err
}

// prepare makes what is missing.
func (s *Store) prepare(ctx context.Context) error {
	var t *table
	err := s.repeat(ctx, true, func(r *rows) error {
		has, _, err := s.dialect.look(ctx, r.tx, s.config.table)
		if err != nil {
			return err
		}
		if t = tableOf(s.config.table, has); len(has) > 0 {
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
		has, _, err = s.dialect.look(ctx, r.tx, s.config.table)
		t = tableOf(s.config.table, has)
		return err
	})
	if err != nil {
		return err
	}
	s.table.Store(t)
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
	before := s.table.Swap(t)
	return !slices.Equal(before.names, t.names), nil
}

// check returns an error if a value of token has no column in the table.
func (t *table) check(token tokenstore.OAuthToken) error {
	var missing []string
	for i, c := range columns {
		if t.names[i] == "" && c.get(&token) != "" {
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
		if c.get(&a) != c.get(&b) {
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
	case int64:
		return fmt.Sprint(v), true
	case time.Time: // Drivers make one of a column that is declared as a time.
		return tokenstore.FormatExpiry(v), true
	}
	return "", false
}
