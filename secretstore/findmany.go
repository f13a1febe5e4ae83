// FindTokens. It reads together what many finds need; the result must be that of single
// finds.

package secretstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// FindTokens finds many tokens, each as FindToken would, and returns them in the order of
// the queries. It reads the index and the tokens for all of them together. Where a query
// finds nothing, the result is empty, and that is no error. Where a find fails, the result
// is empty too, and the error joins what has failed.
func (s *Store) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	a := s.attempt()
	a.finding = true
	a.prefetchFinds(ctx, queries)
	found := make([]tokenstore.OAuthToken, len(queries))
	var faults []error
	for i, query := range queries {
		r, _, err := a.resolve(ctx, query, tokenstore.FindKeys(query))
		switch {
		case err != nil:
			faults = append(faults, s.fail(fmt.Sprintf("find token %d of %d", i+1, len(queries)), query.ID, err))
			if ctx.Err() != nil {
				return found, errors.Join(faults...)
			}
		case r != nil:
			found[i] = r.token
		}
	}
	return found, errors.Join(faults...)
}

// prefetchFinds reads the rows and the parts of the index that the finds need, in as few
// calls as the service allows. Its errors occur again in the finds, which report them.
func (a *attempt) prefetchFinds(ctx context.Context, queries []tokenstore.OAuthToken) {
	var ids, hashes []string
	for _, query := range queries {
		if query.ID != "" {
			ids = append(ids, escapeID(query.ID))
		}
		for _, k := range tokenstore.FindKeys(query) {
			if k.Kind == tokenstore.UserKey {
				ids = append(ids, a.s.hash(k))
			}
		}
	}
	if a.load(ctx, distinct(ids)) != nil {
		return
	}
	defer a.forgetAbsent()
	for _, query := range queries {
		if a.atHome(query) {
			continue
		}
		for _, k := range tokenstore.FindKeys(query) {
			hashes = append(hashes, a.s.hash(k))
		}
	}
	ids = nil
	hints, err := a.view.Lookup(ctx, distinct(hashes)...)
	if err != nil {
		return
	}
	for _, of := range hints {
		for _, hint := range of {
			ids = append(ids, hint.ID)
		}
	}
	_ = a.load(ctx, distinct(ids))
}

// forgetAbsent drops the rows that a batch read has shown as absent. Only an answer about this
// very secret proves it: the find reads it.
func (a *attempt) forgetAbsent() {
	if a.s.batch != nil {
		a.rows.dropAbsent()
	}
}

// distinct returns the names, sorted, each once.
func distinct(names []string) []string { return union(names, nil) }
