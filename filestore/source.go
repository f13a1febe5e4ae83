// A file as an import reads it.

package filestore

import (
	"context"
	"fmt"
	"os"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

var (
	_ rowstore.Source = (*Store)(nil)
	_ rowstore.Placed = (*Store)(nil)
)

// SamePlace is for this module's import command. It reports whether another store is
// over the same file, by whatever path or link.
func (s *Store) SamePlace(other tokenstore.Store) bool {
	o, ok := other.(*Store)
	if !ok {
		return false
	}
	a, errA := os.Stat(s.path)
	b, errB := os.Stat(o.path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// Source is for this module's import command. It returns what [Store.GetTokens] and
// [Store.Warnings] return, of one reading of the file, and what the import has to say
// of the values that it did not take as they are.
func (s *Store) Source(ctx context.Context) (rowstore.Reading, error) {
	const op = "read all rows"
	doc, err := s.view(ctx)
	if err != nil {
		return rowstore.Reading{}, failure(op, "", err)
	}
	if doc.foreign != "" {
		return rowstore.Reading{}, failure(op, "", doc.unreadable())
	}
	reading := rowstore.Reading{Unread: failure(op, "", doc.unreadable())}
	filled := make([]int, len(doc.layout))
	for _, r := range doc.records {
		if r.kind == rowLine {
			reading.Rows = append(reading.Rows, doc.layout.source(r, filled))
		}
	}
	for i, name := range doc.unknown() {
		if filled[i] == 0 || name == "" {
			continue
		}
		unknown := rowstore.Unknown{Name: name, Rows: filled[i]}
		if doc.layout[i] != columnUnknown {
			unknown.As = doc.layout[i].String()
		}
		reading.Unknown = append(reading.Unknown, unknown)
	}
	return reading, nil
}

// source returns a row, and counts in filled the columns that hold something.
func (l layout) source(r *record, filled []int) rowstore.Row {
	row := rowstore.Row{Token: r.token}
	odd := ""
	for i, c := range scan(r.body).cells {
		if c.null() {
			row.Nulls++
		}
		if c.text() != "" {
			filled[i]++
		}
		if l[i] == columnExpiry {
			row.Token.Expiry, odd = rowstore.ReadExpiry(c.text())
		}
	}
	row.Warnings = rowstore.Warnings(row.Token, false)
	if odd != "" {
		row.Warnings = append(row.Warnings, odd)
	}
	return row
}

// unknown returns the names in the header that are not understood, each at the place
// of its column.
func (d *document) unknown() []string {
	names := make([]string, len(d.layout))
	for _, r := range d.records {
		if r.kind != headerLine {
			continue
		}
		words := make([]string, 0, len(names))
		for _, c := range scan(r.body).cells {
			words = append(words, c.value)
		}
		columns, _ := rowstore.ColumnsOf(words)
		for i, c := range columns {
			if c != columnUnknown {
				continue
			}
			if names[i] = words[i]; names[i] == "" {
				names[i] = fmt.Sprintf("number %d, which has no name", i+1)
			}
		}
	}
	return names
}
