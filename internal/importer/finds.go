// Finding many tokens of the destination, together if it can.

package importer

import (
	"context"

	"example.com/tokenstore"
)

// finder is a store that finds many tokens at the cost of few reads of its index.
type finder interface {
	FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// finds are the results of finds that were made together.
type finds struct {
	destination tokenstore.Store
	found       map[tokenstore.OAuthToken]tokenstore.OAuthToken
}

// findTogether finds many tokens, if the destination can find them together.
func (im *importing) findTogether(ctx context.Context, queries []tokenstore.OAuthToken) *finds {
	f := &finds{destination: im.destination}
	many, ok := tokenstore.As[finder](im.destination)
	if !ok || len(queries) < 2 {
		return f
	}
	f.found = make(map[tokenstore.OAuthToken]tokenstore.OAuthToken, len(queries))
	found, err := many.FindTokens(ctx, queries)
	for i, t := range found {
		if f.found[queries[i]] = t; t.ID == "" && err != nil {
			delete(f.found, queries[i]) // Alone, it has an error of its own.
		}
	}
	return f
}

// find returns the result of a find; of one that was not made together with others, or
// has failed, by making it.
func (f *finds) find(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	t, ok := f.found[query]
	switch {
	case ok && t.ID == "":
		return t, tokenstore.ErrNotFound
	case ok:
		return t, nil
	case query == tokenstore.OAuthToken{ID: query.ID}:
		return f.destination.FindTokenByID(ctx, query.ID)
	}
	return f.destination.FindToken(ctx, query)
}
