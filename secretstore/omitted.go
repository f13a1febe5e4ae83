// Keys that the index may lack: access tokens, which change hourly, and in an index that says
// so the refresh tokens of tokens with a user. Every program follows the index there. What each
// rule of a save rests on stays as it is, since a token without a user always has its refresh
// token in the index, and an insert or an adoption claims all keys: only an update of a token
// with a user leaves its new refresh token out. A save with a user never looks for such a
// token by its refresh token.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// leavesOut reports whether the index may lack keys of a kind; of refresh tokens, only those
// of tokens with a user. The answer belongs to what the view has looked up.
func (s *Store) leavesOut(ctx context.Context, view index.View, kind tokenstore.KeyKind) (bool, error) {
	omitting, ok := view.(index.OmittingView)
	if !ok {
		return kind == tokenstore.AccessKey && s.mayLackAccess(), nil
	}
	omitted, err := omitting.Omits(ctx, kind)
	if omitted && kind == tokenstore.RefreshKey {
		s.rotates.Store(true)
	}
	return omitted, err
}

// mayLackAccess reports whether the index may lack access tokens of tokens with another key:
// this program leaves them out, or others may. Every index of documents may.
func (s *Store) mayLackAccess() bool { return s.omitter != nil || s.access != accessEverywhere }

// withoutRefresh returns the keys except for refresh tokens.
func withoutRefresh(keys []tokenstore.Key) []tokenstore.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k tokenstore.Key) bool { return k.Kind == tokenstore.RefreshKey })
}

// leaveOut removes from the plan of an update the refresh tokens that the index need not
// have. The hint of the old one, if there is one, stays for the repair: to release it would
// cost a write of the index for each token in use, within an hour of each other.
func (a *attempt) leaveOut(ctx context.Context, p *plan, r *row) error {
	claims, releases := withoutRefresh(p.claims), withoutRefresh(p.releases)
	if r.token.UserName == "" || len(claims) == len(p.claims) && len(releases) == len(p.releases) {
		return nil
	}
	omitted, err := a.s.leavesOut(ctx, a.view.open(), tokenstore.RefreshKey)
	if err != nil {
		return err
	}
	if omitted {
		p.claims, p.releases = claims, releases
	}
	p.rotates = len(claims) < len(p.claims)
	return nil
}

// advise adds to the error of a claim what to do if rotations have used up the writes of the
// index.
func (p *plan) advise(err error) error {
	if p.rotates && errors.Is(err, tokenstore.ErrQuota) {
		return fmt.Errorf("%w; if refresh tokens rotate, run reindex --rotating, after which a rotation does not write the index", err)
	}
	return err
}
