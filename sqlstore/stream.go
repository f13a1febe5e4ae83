// Reading all rows a page at a time, so that a slow reader holds no transaction open:
// one that is open for long keeps writers from the file, or its log from being emptied.

package sqlstore

import (
	"context"
	"iter"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/streams"
)

var _ tokenstore.Streamer = (*Store)(nil)

// pageRows is how many rows one transaction reads.
const pageRows = 500

// Tokens implements tokenstore.Streamer. It reads 500 rows in a transaction, and holds these rows and the IDs of all rows before them.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return stream(ctx, s, "list tokens", func(r *rows, p *page[tokenstore.OAuthToken]) error {
		return r.scanAll(r.pageSelection(p.after), r.pageArgs(p.after), func(t tokenstore.OAuthToken, row readRow, fault *unreadableError) {
			if fault != nil {
				p.unread(fault)
			} else {
				p.add(row.place, t.ID, t)
			}
		})
	})
}

// page is some rows of a sequence, as one transaction reads them.
type page[T any] struct {
	after any // the place of the row before them; nil if they are the first
	last  any // the place of the last one
	found int // how many there are
	items []item[T]
}

// item is a row that can be read, or why it cannot.
type item[T any] struct {
	id    string
	value T
	fault *unreadableError
}

// add adds the next row.
func (p *page[T]) add(place any, id string, value T) {
	p.last, p.found = place, p.found+1
	p.items = append(p.items, item[T]{id: id, value: value})
}

// unread adds the next row, which cannot be read.
func (p *page[T]) unread(fault *unreadableError) {
	p.last, p.found = fault.place, p.found+1
	p.items = append(p.items, item[T]{fault: fault})
}

// stream yields what read makes of all rows, and each ID once: a token that is deleted
// and saved again meanwhile has a new place, at the end. A row that cannot be read yields
// an error, and the others follow.
func stream[T any](ctx context.Context, s *Store, op string, read func(*rows, *page[T]) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]struct{}{}
		var after any
		var layout int64
		for {
			p := &page[T]{}
			err := s.transaction(ctx, false, func(r *rows) error {
				now, err := s.dialect.layout(ctx, r.tx)
				if err != nil {
					return err
				}
				if now != layout {
					after = nil // Each row may have another place now.
				}
				layout = now
				*p = page[T]{after: after}
				return read(r, p)
			})
			if err != nil {
				yield(none, streams.End(s.failed(ctx, op, "", err)))
				return
			}
			for _, i := range p.items {
				if err := ctx.Err(); err != nil {
					yield(none, s.failed(ctx, op, "", err))
					return
				}
				if _, again := seen[i.id]; again && i.fault == nil {
					continue
				}
				if i.fault == nil {
					seen[i.id] = struct{}{}
				}
				if !yield(i.value, s.failed(ctx, op, "", errorOf(i.fault))) {
					return
				}
			}
			if p.found < pageRows {
				return
			}
			after = p.last
		}
	}
}

// errorOf returns the error, or nil if there is none.
func errorOf(fault *unreadableError) error {
	if fault == nil {
		return nil
	}
	return fault
}

// pageSelection returns a query for a page of rows, and pageArgs its parameters.
func (r *rows) pageSelection(after any, others ...string) string {
	condition, order := r.store.dialect.after(r.table)
	if after == nil {
		condition = ""
	}
	return r.ordered(condition, order, others...) + " LIMIT ?"
}

func (r *rows) pageArgs(after any) []any {
	if after != nil {
		return []any{after, pageRows}
	}
	return []any{pageRows}
}
