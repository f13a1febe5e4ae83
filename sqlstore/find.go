// Finding tokens: one, with as little as a prepared statement costs, or many.

package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// find finds the row that query is an example of. A query sees one state of the table, so that
// a find which one query decides needs no transaction. Most are: a find by an ID and a user
// has both in a transaction only if there is no such ID.
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

// FindTokens finds many tokens, each as FindToken would, and returns them in the order of the
// queries. It makes 500 finds in a transaction. Where a query finds nothing, the result is
// empty, and that is no error. Where a find fails, the result is empty too, and the error
// joins what has failed.
func (s *Store) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	found := make([]tokenstore.OAuthToken, len(queries))
	var faults []error
	for first := 0; first < len(queries); first += pageRows {
		end := min(first+pageRows, len(queries))
		var unread []error
		err := s.transaction(ctx, false, func(r *rows) error {
			unread = nil
			for i := first; i < end; i++ {
				t, err := rowstore.Find(r, queries[i])
				var bad *unreadableError
				switch {
				case errors.As(err, &bad):
					unread = append(unread, s.failed(ctx, fmt.Sprintf("find token %d of %d", i+1, len(queries)), queries[i].ID, err))
				case err != nil && !errors.Is(err, tokenstore.ErrNotFound):
					return err
				}
				found[i] = t
			}
			return nil
		})
		faults = append(faults, unread...)
		if err != nil {
			clear(found[first:])
			return found, errors.Join(append(faults, s.failed(ctx, "find tokens", "", err))...)
		}
	}
	return found, errors.Join(faults...)
}
