// DeleteUnchanged: a deletion that is conditional on what was read. The compare-and-swap of
// the token's secret decides, as in a swap.

package secretstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

var _ tokenstore.Remover = (*Store)(nil)

// errChanged is the error of a token that is no longer what was read.
var errChanged = fmt.Errorf("%w: the token was changed after it was read; nothing was deleted", tokenstore.ErrConflict)

// DeleteUnchanged deletes the tokens that are still what was read; see tokenstore.Remover.
// Many tokens are read together, and their keys leave the index in one write of each of its
// documents, at the pace that the service allows.
func (s *Store) DeleteUnchanged(ctx context.Context, tokens []tokenstore.OAuthToken) []error {
	const op = "delete unchanged token"
	if len(tokens) > 1 {
		ctx = bulk(ctx)
	}
	errNotTried := errors.New("not tried")
	faults := make([]error, len(tokens))
	var deletions []deletion
	var places, again []int
	met := map[string]bool{}
	for i, t := range tokens {
		if t.ID == "" {
			faults[i] = s.fail(op, "", fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument))
			continue
		}
		if met[t.ID] {
			again = append(again, i) // The tokens of a call are deleted in their order.
			continue
		}
		met[t.ID] = true
		deletions, places = append(deletions, deletion{id: escapeID(t.ID), seen: &tokens[i]}), append(places, i)
	}
	some := make([]error, len(deletions))
	for i := range some {
		some[i] = errNotTried
	}
	err := s.buryAll(ctx, op, deletions, some)
	for i, fault := range some {
		if fault == errNotTried { //nolint:errorlint // It is this very one.
			fault = s.fail(op, tokens[places[i]].ID, err)
		}
		faults[places[i]] = fault
	}
	if len(again) == 0 {
		return faults
	}
	repeated := make([]tokenstore.OAuthToken, len(again))
	for i, at := range again {
		repeated[i] = tokens[at]
	}
	for i, fault := range s.DeleteUnchanged(ctx, repeated) {
		faults[again[i]] = fault
	}
	return faults
}

// still reports whether a row is the token as somebody has seen it.
func (d deletion) still(r *row) (bool, error) {
	switch {
	case r.barred():
		return false, r.fault()
	case r.state != live || r.token.ID != d.seen.ID:
		return false, tokenstore.ErrNotFound
	}
	return tokenstore.SameCredentials(r.token, *d.seen), nil
}
