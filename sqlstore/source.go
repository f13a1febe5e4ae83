// A table as an import reads it.

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

var (
	_ rowstore.Source = (*Store)(nil)
	_ rowstore.Placed = (*Store)(nil)
)

// SamePlace is for this module's import command. It reports whether another store is
// over the same table of the same file, by whatever path or link.
func (s *Store) SamePlace(other tokenstore.Store) bool {
	o, ok := tokenstore.As[*Store](other)
	if !ok || !strings.EqualFold(s.config.table, o.config.table) {
		return false
	}
	if s.db == o.db || s.address != "" && s.address == o.address {
		return true
	}
	a, errA := os.Stat(s.path)
	b, errB := os.Stat(o.path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// Source is for this module's import command. It yields what [Store.Tokens] yields, with
// what [Store.Warnings] and the import have to say of the values: here a word such as NULL
// is an absent value.
func (s *Store) Source(ctx context.Context) (rowstore.Reading, error) {
	var filled []int // in how many rows the columns hold something, of those that are not understood
	var others []string
	read := stream(ctx, s, "read all rows", func(r *rows, p *page[rowstore.Row]) error {
		others = r.table.others
		if p.after == nil {
			filled = make([]int, len(others))
		}
		counted, err := r.source(p)
		if err != nil {
			return err
		}
		for i, n := range counted {
			filled[i] += n
		}
		return nil
	})
	unknown := func() (all []rowstore.Unknown) {
		for i, n := range filled {
			if n > 0 {
				all = append(all, rowstore.Unknown{Name: others[i], Rows: n})
			}
		}
		return all
	}
	return rowstore.Reading{Rows: read, Unknown: unknown}, nil
}

// source reads a page of rows, and returns in how many of them each of the other columns
// holds something.
func (r *rows) source(p *page[rowstore.Row]) (filled []int, err error) {
	filled = make([]int, len(r.table.others))
	found, err := r.query(r.pageSelection(p.after, r.table.others...), r.pageArgs(p.after)...)
	if err != nil {
		return nil, r.told(err)
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		values, err := r.raw(found, len(filled))
		if err != nil {
			return nil, err
		}
		known := len(values) - len(filled)
		row, err := r.imported(values[1:known])
		if err != nil {
			p.unread(r.unreadable(values[0], row.Token.ID, err))
		} else {
			p.add(values[0], row.Token.ID, row)
		}
		for i, value := range values[known:] {
			if s, ok := r.importedText(value); !ok || s != "" && !rowstore.IsNull(s) {
				filled[i]++
			}
		}
	}
	return filled, r.told(found.Err())
}

// imported makes a row of the values of the known columns.
func (r *rows) imported(values []any) (row rowstore.Row, err error) {
	odd := ""
	for i, c := range columns {
		if r.table.names[i] == "" {
			continue
		}
		s, ok := r.importedText(values[0])
		values = values[1:]
		if rowstore.IsNull(s) {
			s = ""
			row.Nulls++
		}
		switch {
		case c.Column == rowstore.ExpiryColumn && !ok:
			_, odd = rowstore.ReadExpiry("no text")
		case c.Column == rowstore.ExpiryColumn:
			row.Token.Expiry, odd = rowstore.ReadExpiry(s)
		case !ok:
			return row, fmt.Errorf("the value of %s is not text", c.name)
		default:
			*c.Text(&row.Token) = s
		}
	}
	if row.Token.ID == "" {
		return row, errors.New("the row has no ID")
	}
	if err := row.Token.Validate(); err != nil {
		return row, errors.New("a value is not valid UTF-8")
	}
	row.Warnings = rowstore.Warnings(row.Token, false)
	if odd != "" {
		row.Warnings = append(row.Warnings, odd)
	}
	return row, nil
}

// importedText returns the string that a value stands for, also that of a number with
// a fraction.
func (r *rows) importedText(value any) (string, bool) {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64), true
	}
	return r.store.dialect.text(value)
}

// withPlaces gives a table that has no column for IDs the rows' places as IDs. It can
// be read so, and not written.
func (t *table) withPlaces(d dialect) *table {
	if t.names[rowstore.IDColumn] == "" && !t.absent() {
		t.names[rowstore.IDColumn] = d.place()
	}
	return t
}
