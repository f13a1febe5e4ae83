package conformance

import (
	"context"
	"errors"

	"example.com/tokenstore"
)

func (s *wrong) DeleteUnchanged(ctx context.Context, tokens []token) []error {
	if s.remove != nil {
		return s.remove(ctx, s.reference, tokens)
	}
	return s.reference.DeleteUnchanged(ctx, tokens)
}

// wrongRemoves delete what they must not, or say what is not so.
func wrongRemoves() []wrongStore {
	// as has what was read look like what a change of the query makes of it.
	as := func(change func(stored token, seen *token)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{remove: func(ctx context.Context, s *reference, tokens []token) []error {
			var seen []token
			for _, t := range tokens {
				if stored, err := s.FindTokenByID(context.Background(), t.ID); err == nil {
					change(stored, &t)
				}
				seen = append(seen, t)
			}
			return s.DeleteUnchanged(ctx, seen)
		}})
	}
	telling := func(change func(err error) error) func(*data) tokenstore.Store {
		return wrongMethods(wrong{remove: func(ctx context.Context, s *reference, tokens []token) []error {
			faults := s.DeleteUnchanged(ctx, tokens)
			for i := range faults {
				faults[i] = change(faults[i])
			}
			return faults
		}})
	}
	return []wrongStore{
		{"deletes whatever its grant token", "remove-changed-grant", as(func(stored token, seen *token) { seen.GrantToken = stored.GrantToken })},
		{"deletes whatever its refresh token", "remove-changed-refresh", as(func(stored token, seen *token) { seen.RefreshToken = stored.RefreshToken })},
		{"deletes whatever its access token", "remove-changed-access", as(func(stored token, seen *token) { seen.AccessToken = stored.AccessToken })},
		{"leaves what has another domain", "remove-other-fields", as(func(stored token, seen *token) {
			if stored.APIDomain != seen.APIDomain {
				seen.RefreshToken += "."
			}
		})},
		{"deletes the first only", "remove", wrongMethods(wrong{remove: func(ctx context.Context, s *reference, tokens []token) []error {
			faults := make([]error, len(tokens))
			if len(tokens) > 0 {
				faults[0] = s.DeleteUnchanged(ctx, tokens[:1])[0]
			}
			return faults
		}})},
		{"says of a missing token that it was deleted", "remove-missing", telling(func(err error) error {
			if errors.Is(err, tokenstore.ErrNotFound) {
				return nil
			}
			return err
		})},
		{"says of a changed token that it is missing", "remove-changed-refresh", telling(func(err error) error {
			if errors.Is(err, tokenstore.ErrConflict) {
				return tokenstore.ErrNotFound
			}
			return err
		})},
		{"deletes after the end of its context", "remove-cancelled", wrongMethods(wrong{remove: func(_ context.Context, s *reference, tokens []token) []error {
			return s.DeleteUnchanged(context.Background(), tokens)
		}})},
	}
}
