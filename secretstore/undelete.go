// UndeleteToken: what the service still has of a deleted token is stored like a new one, so
// that its keys are claimed before it is written, and nothing that is there is changed.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

var _ tokenstore.Undeleter = (*Store)(nil)

// UndeleteToken stores a deleted token again as it was; see tokenstore.Undeleter. Every key
// finds it at once. On AWS it takes up to a quarter of a minute after the deletion, which
// may still be running. If another token of its user is stored, the error matches ErrConflict
// and the token stays deleted; it can be undeleted once the other one is gone.
func (s *Store) UndeleteToken(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	token, err := s.undelete(ctx, id)
	return token, s.fail("undelete token", id, err)
}

func (s *Store) undelete(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	none := tokenstore.OAuthToken{}
	if id == "" {
		return none, fmt.Errorf("%w: the ID must not be empty", tokenstore.ErrInvalidArgument)
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	recoverer, ok := driver.As[driver.Recoverer](s.secrets)
	if !ok {
		return none, fmt.Errorf("%w: this store keeps nothing of a deleted token", tokenstore.ErrNotFound)
	}
	r, err := s.attempt().ownRow(ctx, escapeID(id))
	switch {
	case err != nil:
		return none, err
	case r.state != absent && r.state != tombstone:
		return none, fmt.Errorf("%w: a token with this ID is stored; nothing was changed", tokenstore.ErrConflict)
	}
	data, err := recoverer.Recover(ctx, r.name)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return none, fmt.Errorf("%w: %w", tokenstore.ErrNotFound, err)
	case err != nil:
		return none, err
	}
	old := s.parse(r.id, driver.Secret{Name: r.name, Data: data})
	if old.state != live || old.token.ID != id {
		old, err = s.attempt().ownRow(ctx, r.id)
		switch {
		case err != nil:
			return none, err
		case old.state != live:
			return none, fmt.Errorf("%w: what the service has kept is not this token", tokenstore.ErrNotFound)
		}
	}
	back, lifted, err := s.insert(ctx, old)
	switch {
	case lifted == nil || err == nil:
	case errors.Is(err, errStored):
		err = s.buryAgain(ctx, lifted)
	default:
		err = fmt.Errorf("%w; the token is back, but some of its keys may not find it, or its user has two: reindex, then look for the user", err)
	}
	return back, err
}

// errStored is the error of a token that is not inserted because another one is there.
var errStored = fmt.Errorf("%w: another token of its user, or with its grant or refresh token, is stored; delete that one first, then undelete this one", tokenstore.ErrConflict)

// buryAgain deletes a token that Recover has brought back, and returns the error of the
// undeletion: a user has one token. Like every deletion it leaves a tombstone; the version before
// it is what the next undeletion finds.
func (s *Store) buryAgain(ctx context.Context, lifted *row) error {
	b := deletion{id: lifted.id, begun: true, seen: &lifted.token}
	err := s.bury(ctx, b, s.attempt(), func(a *attempt, claims []index.Claim) { s.release(ctx, a, lifted.token.ID, claims) })
	if err == nil || errors.Is(err, tokenstore.ErrNotFound) {
		return errStored
	}
	return fmt.Errorf("another token of its user, or with its grant or refresh token, is stored, and deleting this one again has failed; delete this one: %w", err)
}

// insert inserts the token of an old row as SaveToken does, with the row's other fields, and
// changes none that is there. If the row itself is there again, a person had deleted its secret
// without a tombstone, and Recover has brought that back: then its keys are claimed, since a
// repair may have removed them. It returns that row as lifted.
func (s *Store) insert(ctx context.Context, old *row) (stored tokenstore.OAuthToken, lifted *row, err error) {
	unlock, err := s.lock(ctx, old.token)
	if err != nil {
		return tokenstore.OAuthToken{}, nil, err
	}
	defer unlock()
	there := false
	err = s.again(ctx, func() error {
		a := s.attempt()
		p, err := a.plan(ctx, old.token)
		if err != nil {
			return err
		}
		if lifted = p.lifted(old); lifted != nil {
			if there, err = a.another(ctx, p, lifted); there || err != nil {
				return err
			}
			stored = lifted.token
			if err := a.rewrite(ctx, p, lifted, lifted.token); err != nil {
				return err
			}
			p.claims, p.mends = a.s.keys(lifted.token), true
			if err := a.leaveOut(ctx, p, lifted); err != nil {
				return err
			}
			return a.carryOut(ctx, p)
		}
		if there = p.unchanged || p.target.state == live || p.target.state == damaged; there {
			return nil
		}
		p.next.object = old.object.Clone()
		tokenstore.EncodeFields(p.next.token, &p.next.object)
		if err := s.checkSize(p.next); err != nil {
			return err
		}
		stored = p.next.token
		return a.carryOut(ctx, p)
	})
	if err == nil && there {
		err = errStored // A conflict that another attempt would not end.
	}
	if err != nil {
		stored = tokenstore.OAuthToken{}
	}
	return stored, lifted, err
}

// another reports whether a row other than own would be found, or adopted, by a save of own's
// token if own were not there. The plan rests on the keys for which there is none.
func (a *attempt) another(ctx context.Context, p *plan, own *row) (bool, error) {
	for _, by := range []struct {
		keys      []tokenstore.Key
		ownerless bool
	}{{tokenstore.FindKeys(own.token), false}, {tokenstore.AdoptionKeys(own.token), true}} {
		for _, k := range by.keys {
			ids, err := a.candidates(ctx, k)
			if err != nil {
				return false, err
			}
			if derived := a.hash(k); k.Kind == tokenstore.UserKey && !slices.Contains(ids, derived) {
				ids = append(ids, derived) // A find by user reads it without a hint.
			}
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == own.id })
			if err := a.loadHinted(ctx, k, ids); err != nil {
				return false, err
			}
			if r, _, err := a.pick(k, ids, by.ownerless); r != nil || err != nil {
				return r != nil, err
			}
			p.restOn([]tokenstore.Key{k}, by.ownerless)
		}
	}
	return false, nil
}

// lifted returns the live row that a save would leave or update, if it is the one that was to
// be inserted.
func (p *plan) lifted(old *row) *row {
	r := p.target
	if p.unchanged {
		r = p.next
	}
	if r.state != live || r.name != old.name {
		return nil
	}
	return r
}
