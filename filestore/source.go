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
	o, ok := tokenstore.As[*Store](other)
	if !ok {
		return false
	}
	a, errA := os.Stat(s.path)
	b, errB := os.Stat(o.path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// Source is for this module's import command. It yields what [Store.Tokens] yields, of one
// reading of the file, with what [Store.Warnings] and the import have to say of the values
// that it did not take as they are.
func (s *Store) Source(ctx context.Context) (rowstore.Reading, error) {
	const op = "read all rows"
	doc, err := s.view(ctx)
	if err != nil {
		return rowstore.Reading{}, failure(op, "", err)
	}
	if doc.foreign != "" {
		return rowstore.Reading{}, failure(op, "", doc.unreadable())
	}
	var filled []int // in how many rows the columns hold something
	read := func(yield func(rowstore.Row, error) bool) {
		filled = make([]int, len(doc.layout))
		for _, r := range doc.records {
			if r.kind != rowLine {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(rowstore.Row{}, failure(op, "", err))
				return
			}
			if !yield(doc.layout.source(r, filled), nil) {
				return
			}
		}
		for _, fault := range rowstore.SplitErrors(doc.unreadable()) {
			if !yield(rowstore.Row{}, fault) {
				return
			}
		}
	}
	return rowstore.Reading{Rows: read, Fixed: true, Unknown: func() []rowstore.Unknown { return doc.filledUnknown(filled) }}, nil
}

// filledUnknown returns the columns that are not understood for certain and hold
// something.
func (d *document) filledUnknown(filled []int) (all []rowstore.Unknown) {
	if filled == nil {
		return nil
	}
	for i, name := range d.unknown() {
		if filled[i] == 0 || name == "" {
			continue
		}
		unknown := rowstore.Unknown{Name: name, Rows: filled[i]}
		if d.layout[i] != columnUnknown {
			unknown.As = d.layout[i].String()
		}
		all = append(all, unknown)
	}
	return all
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
