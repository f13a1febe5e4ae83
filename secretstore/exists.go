// Telling a store without tokens from a place where nothing of a store is.

package secretstore

import (
	"context"

	"example.com/tokenstore"
)

var _ tokenstore.Exister = (*Store)(nil)

// Exists implements tokenstore.Exister: it reports whether there is an index, or any
// secret under the store's prefix. The service's list may be minutes out of date, so
// that a store without an index of its own may not exist yet just after its first
// save.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	const op = "look for the store"
	if _, ok, err := s.indexed(ctx); ok || err != nil {
		return ok, s.fail(op, "", err)
	}
	for _, err := range s.secrets.List(ctx, s.prefix) {
		return err == nil, s.fail(op, "", err)
	}
	return false, nil
}
