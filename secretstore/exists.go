// Whether there is a store at all. A place without one looks like an empty store, but is
// often the wrong prefix, region or project.

package secretstore

import (
	"context"
	"slices"

	"example.com/tokenstore"
)

var _ tokenstore.Exister = (*Store)(nil)

// Exists implements tokenstore.Exister. It reports whether there is any secret of a store
// under the prefix: of the index, or of a token, even a deleted one. It needs permission
// to list, unless there is an index of documents. Without such an index it may miss a
// store for minutes after its first save, since the service's list may be out of date.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	exists, err := s.exists(ctx)
	return exists, s.fail("look for a store", "", err)
}

func (s *Store) exists(ctx context.Context) (bool, error) {
	if _, ok, err := s.indexed(ctx); ok || err != nil {
		return ok, err
	}
	if indexed, err := s.hasForm(ctx, func(string) bool { return true }); indexed || err != nil {
		return indexed, err
	}
	ids, err := s.listSecrets(ctx)
	if err != nil {
		return false, err
	}
	witness, permission := s.witness(), &permission{}
	for some := range slices.Chunk(ids, reindexChunk) {
		rows, err := s.readListed(ctx, some, permission)
		if err == nil {
			err = witness.recognise(ctx, rows...)
		}
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(rows, func(r *row) bool { return r.state != absent && r.state != foreign }) {
			return true, nil
		}
	}
	return false, nil
}
