// DeleteToken and DeleteTokens. A deletion leaves a tombstone for a while, so that no writer
// that stalled in the meantime brings the token back.

package secretstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// DeleteToken removes the token with the given ID. Deleting an ID that is not stored
// is not an error. It returns an error if the token is deleted but the service still keeps
// older versions of it; call it again to finish the job.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	const op = "delete token"
	if id == "" {
		return s.fail(op, "", fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument))
	}
	b := deletion{id: escapeID(id), begun: true}
	return s.fail(op, id, s.bury(ctx, b, s.attempt(), func(a *attempt, claims []index.Claim) { s.release(ctx, a, id, claims) }))
}

// DeleteTokens removes all tokens of this store and nothing else, several at a time, as fast
// as the service allows. The error names the tokens that could not be removed; call it again
// to finish the job. If part of the index is lost, it needs permission to list to find the
// tokens of that part.
func (s *Store) DeleteTokens(ctx context.Context) error {
	const op = "delete tokens"
	ctx = bulk(ctx)
	ids, begun, broken, err := s.toDelete(ctx)
	if err != nil {
		return s.fail(op, "", err)
	}
	deletions := make([]deletion, len(ids))
	for i, id := range ids {
		deletions[i] = deletion{id: id, begun: begun(id)}
	}
	faults := make([]error, len(ids))
	err = s.buryAll(ctx, op, deletions, faults)
	return errors.Join(append(faults, s.fail(op, "", broken), s.fail(op, "", err))...)
}

// buryAll deletes tokens, some thousand at a time, and sets the fault of each. Those of the
// tokens that it did not come to, because ctx has ended, stay as they are.
func (s *Store) buryAll(ctx context.Context, op string, deletions []deletion, faults []error) error {
	witness := s.witness()
	for most := s.most(); len(deletions) > 0; {
		n := min(most, len(deletions))
		if err := s.buryChunk(ctx, op, deletions[:n], faults[:n], witness); err != nil {
			return err
		}
		deletions, faults = deletions[n:], faults[n:]
	}
	return nil
}

// buryChunk deletes tokens, which are read together and whose keys leave the index together.
// What cannot be read together is read one by one.
func (s *Store) buryChunk(ctx context.Context, op string, deletions []deletion, faults []error, witness *witness) error {
	started := s.wall()
	ids := make([]string, len(deletions))
	for i, b := range deletions {
		ids[i] = b.id
	}
	rows, err := s.readListed(ctx, ids, &permission{})
	if err != nil {
		rows = nil
	}
	released := make([][]index.Claim, len(ids))
	err = s.parallel(ctx, len(ids), func(ctx context.Context, i int) error {
		first := s.attempt()
		first.witness = witness
		if rows != nil {
			first.started = started
			first.rows.put(rows[i])
		}
		err := s.bury(ctx, deletions[i], first, func(_ *attempt, claims []index.Claim) { released[i] = claims })
		if faults[i] = s.fail(op, ids[i], err); err != nil {
			released[i] = nil // Its hints stay, so that the next call meets it and finishes.
		}
		return ctx.Err()
	})
	s.release(ctx, s.attempt(), "", slices.Concat(released...))
	return err
}

// toDelete returns the escaped IDs of all tokens, and a function that reports whether the
// deletion of a token that is found deleted may be unfinished: an index that has the list
// of all tokens lists such tokens too. If the index cannot be parsed, broken is the error
// of that, and the IDs come from the service's list.
func (s *Store) toDelete(ctx context.Context) (ids []string, begun func(id string) bool, broken, err error) {
	indexed, _, err := s.indexed(ctx)
	if errors.Is(err, tokenstore.ErrUnreadable) {
		broken, err = err, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	listed, err := s.listSecrets(ctx)
	if broken == nil {
		err = s.mayList(err)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(broken, err)
	}
	_, lists := s.index.(index.Lister)
	slices.Sort(indexed)
	begun = func(id string) bool {
		_, found := slices.BinarySearch(indexed, id)
		return found || !lists
	}
	return union(indexed, listed), begun, broken, nil
}

// deletion is the deletion of one token.
type deletion struct {
	id    string // escaped
	begun bool   // a tombstone may be that of an unfinished deletion
	// seen, if not nil, is the token as somebody has seen it: only this is deleted.
	seen *tokenstore.OAuthToken
}

// bury replaces the live row with the given escaped ID by a tombstone, passes the claims
// to be released to release, and then retires the tombstone. The order matters: if the
// service forgets the generation, a row that is inserted again may start at a lower one,
// and a late release would remove its hints. An existing tombstone is retired again if
// begun is set. A damaged row is deleted like a live one; the hints of the keys that it
// still has are released now. The first attempt may have read the row already.
func (s *Store) bury(ctx context.Context, b deletion, first *attempt, release func(*attempt, []index.Claim)) error {
	unlock, err := s.locks.Lock(ctx, b.id)
	if err != nil {
		return err
	}
	defer unlock()
	tries, changed, together := 0, false, !first.rows.empty()
	err = s.again(ctx, func() error {
		a := first
		if tries++; tries > 1 {
			a = s.attempt()
			a.witness = first.witness
		}
		r, err := a.ownRow(ctx, b.id)
		if err != nil {
			return err
		}
		if b.seen != nil && r.state != tombstone {
			switch same, err := b.still(r); {
			case err != nil:
				return err
			case !same && together && tries == 1:
				return errAgain // It was read with others, maybe before it was shown.
			case !same:
				changed = true
				return nil
			}
		}
		switch r.state {
		case unreadable:
			return r.err
		case tombstone:
			if b.seen != nil {
				return cmp.Or(a.retireAgain(ctx, r), tokenstore.ErrNotFound)
			}
			if !b.begun {
				return nil
			}
			return a.retireAgain(ctx, r)
		case live, damaged:
		case foreign:
			s.log.WarnContext(ctx, "not deleted: the secret does not belong to this store", "store", s.name, "secret", s.shownName(r))
			return nil
		default:
			return nil
		}
		if err := a.tooOld(); err != nil {
			return err
		}
		buried, err := s.write(ctx, s.buried(r, s.nextGeneration(r)))
		if err != nil {
			return err
		}
		release(a, s.claims(s.keys(r.token), r))
		return s.retire(ctx, buried)
	})
	if err == nil && changed {
		return errChanged // A conflict that another attempt would not end.
	}
	return err
}

// retireAgain finishes a deletion that was not retired. If the service has a time window
// for that, it has passed for an existing tombstone, which is therefore written again.
func (a *attempt) retireAgain(ctx context.Context, r *row) error {
	s := a.s
	if s.retirer != nil && s.retirer.RetireWindow() > 0 {
		if err := a.awaitRetirement(ctx, r); err != nil {
			return err
		}
		var err error
		if r, err = s.write(ctx, s.buried(r, s.nextGeneration(r))); err != nil {
			return err
		}
	}
	return s.retire(ctx, r)
}

// retire has the service drop the older versions of a deleted token.
func (s *Store) retire(ctx context.Context, r *row) error {
	if s.retirer == nil {
		return nil
	}
	err := s.secrets.inTurn(ctx, s.secrets.create, func() error { return s.retirer.Retire(ctx, r.name, r.revision) })
	if errors.Is(err, tokenstore.ErrConflict) {
		return nil // The tombstone has been replaced.
	}
	if err != nil {
		return fmt.Errorf("the token is deleted, but older versions of its secret may remain; delete it again: %w", err)
	}
	return nil
}

// release removes the keys of deleted tokens from the index. Keys that it cannot remove
// are harmless, and the repair removes them later.
func (s *Store) release(ctx context.Context, a *attempt, id string, claims []index.Claim) {
	if len(claims) == 0 {
		return
	}
	if err := a.view.Release(ctx, claims...); err != nil {
		s.warn(ctx, "token deleted, but its old keys are still in the index; Reindex removes them", id, err)
	}
}
