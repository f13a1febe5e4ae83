// GetTokens.

package secretstore

import (
	"context"
	"errors"
	"slices"

	"example.com/tokenstore"
)

// GetTokens returns all tokens, oldest first. Unreadable tokens do not hide the others:
// GetTokens returns the others together with an error that matches ErrUnreadable and names
// the unreadable ones.
func (s *Store) GetTokens(ctx context.Context) ([]tokenstore.OAuthToken, error) {
	const op = "get tokens"
	ids, err := s.list(ctx)
	if err != nil {
		return nil, s.fail(op, "", err)
	}
	rows, err := s.readListed(ctx, ids)
	if err != nil {
		return nil, s.fail(op, "", err)
	}
	if err := s.witness().recognise(ctx, rows...); err != nil {
		return nil, s.fail(op, "", err)
	}
	var faults []error
	for _, r := range rows {
		switch r.state {
		case live:
			s.known.learn(s, r)
		case damaged, unreadable:
			faults = append(faults, &tokenstore.Error{Store: s.name, Op: op, Name: tokenstore.Redact(r.id), Kind: tokenstore.ErrUnreadable, Err: r.err})
		}
	}
	rows = slices.DeleteFunc(rows, func(r *row) bool { return r.state != live })
	slices.SortFunc(rows, older)
	tokens := make([]tokenstore.OAuthToken, len(rows))
	for i, r := range rows {
		tokens[i] = r.token
	}
	return tokens, errors.Join(faults...)
}
