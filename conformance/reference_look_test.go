package conformance

import (
	"context"
	"fmt"
	"slices"

	"example.com/tokenstore"
)

// FindTokens finds one token after the other.
func (s *reference) FindTokens(ctx context.Context, queries []token) ([]token, error) {
	found := make([]token, len(queries))
	for i, query := range queries {
		found[i], _ = s.FindToken(ctx, query) // It is not found, or the context has ended.
	}
	return found, ctx.Err()
}

// Exists is Ping.
func (s *reference) Exists(ctx context.Context) (bool, error) {
	return s.Ping(ctx) == nil, ctx.Err()
}

var errNotKept = fmt.Errorf("%w: nothing was deleted under this ID", tokenstore.ErrNotFound)

// UndeleteToken stores the row that was last deleted under an ID.
func (s *reference) UndeleteToken(ctx context.Context, id string) (token, error) {
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	kept, ok := s.data.deleted[id]
	if slices.ContainsFunc(s.data.rows, func(r token) bool { return r.ID == id || ok && r.UserName != "" && r.UserName == kept.UserName }) {
		return token{}, tokenstore.ErrConflict
	}
	if !ok {
		return token{}, errNotKept
	}
	return kept, s.data.Insert(kept)
}
