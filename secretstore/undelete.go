// UndeleteToken: what the service still has of a deleted token is stored like a new one, so
// that its keys are claimed before it is written, and nothing that is there is changed.

package secretstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

var _ tokenstore.Undeleter = (*Store)(nil)

// UndeleteToken stores a deleted token again as it was; see tokenstore.Undeleter. Every key
// finds it at once. On AWS it takes up to a quarter of a minute after the deletion, which
// may still be running. If the token is refused there because another one is stored, it can be
// undeleted once that is gone, and is otherwise deleted for good by the repair, no longer by AWS.
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
		return none, errStored
	}
	data, err := recoverer.Recover(ctx, r.name)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return none, fmt.Errorf("%w: %w", tokenstore.ErrNotFound, err)
	case err != nil:
		return none, err
	}
	old := s.parse(r.id, driver.Secret{Name: r.name, Data: data})
	if old.state == live && old.token.ID == id {
		return s.insert(ctx, old)
	}
	lifted, err := s.attempt().ownRow(ctx, r.id)
	switch {
	case err != nil:
		return none, err
	case lifted.state == live:
		return s.insert(ctx, lifted)
	}
	return none, fmt.Errorf("%w: what the service has kept is not this token", tokenstore.ErrNotFound)
}

// errStored is the error of a token that is not inserted because it is there.
var errStored = fmt.Errorf("%w: a token with this ID, of its user or with its refresh token is stored; nothing was changed", tokenstore.ErrConflict)

// insert inserts the token of an old row as SaveToken does, with the row's other fields, and
// changes none that is there. If the row itself is there again, a person had deleted its secret
// without a tombstone, and Recover has brought that back: then its keys are claimed, since a
// repair may have removed them.
func (s *Store) insert(ctx context.Context, old *row) (tokenstore.OAuthToken, error) {
	unlock, err := s.lock(ctx, old.token)
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	defer unlock()
	var stored tokenstore.OAuthToken
	there := false
	err = s.again(ctx, func() error {
		a := s.attempt()
		p, err := a.plan(ctx, old.token)
		if err != nil {
			return err
		}
		if own := p.lifted(old); own != nil {
			stored = own.token
			if err := a.rewrite(ctx, p, own, own.token); err != nil {
				return err
			}
			p.claims, p.mends = a.s.keys(own.token), true
			if err := a.leaveOut(ctx, p, own); err != nil {
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
		return tokenstore.OAuthToken{}, err
	}
	return stored, nil
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
