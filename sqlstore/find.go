// Finding one token, at little more than the cost of a prepared statement.

package sqlstore

import (
	"context"
	"errors"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// find finds the row that query is an example of. A single SELECT sees one state of the table,
// so a find that the first look-up decides needs no transaction. If that finds nothing and
// there are others, all are made again in one transaction.
func (s *Store) find(ctx context.Context, query tokenstore.OAuthToken) (found tokenstore.OAuthToken, err error) {
	keys := tokenstore.FindKeys(query)
	first := rowstore.Find
	more := len(keys) > 1 || len(keys) == 1 && query.ID != ""
	a := alone
	if s.table.Load().dirty {
		a, more = reading, false
	} else if more {
		first = firstLookUp
	}
	err = s.call(ctx, a, func(r *rows) (err error) {
		found, err = first(r, query)
		return err
	})
	if !more || !errors.Is(err, tokenstore.ErrNotFound) {
		return found, err
	}
	err = s.transaction(ctx, false, func(r *rows) (err error) {
		found, err = rowstore.Find(r, query)
		return err
	})
	return found, err
}

// firstLookUp is rowstore.Find as far as its first look-up.
func firstLookUp(r rowstore.Rows, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	if query.ID != "" {
		return rowstore.Find(r, tokenstore.OAuthToken{ID: query.ID})
	}
	row, ok, err := r.ByKey(tokenstore.FindKeys(query)[0], false)
	if err == nil && !ok {
		err = tokenstore.ErrNotFound
	}
	return row, err
}
