// Settling: how two saves that race for one key find out about each other.

package secretstore

import (
	"context"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// settle handles the hints of others that were found together with the claims of a plan.
// Of two saves that race for one key, the one that claims second either sees the other's
// row here, or makes the other's write fail.
func (a *attempt) settle(ctx context.Context, p *plan, others [][]index.Hint) error {
	for i, k := range p.claims {
		for _, hint := range others[i] {
			if err := a.settleHint(ctx, p, k, hint); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *attempt) settleHint(ctx context.Context, p *plan, k tokenstore.Key, hint index.Hint) error {
	// Rows that the attempt read before its claim do not count here.
	r, err := a.s.read(ctx, hint.ID)
	if err != nil {
		return err
	}
	e := evidence{hinted: true}
	if hint.ID == a.s.hash(k) {
		e.derived = keyFields[k.Kind]
	}
	if err := a.recognise(ctx, r, e); err != nil {
		return err
	}
	ownerless, rests := p.rests[k]
	switch {
	case r.holds(k):
		if rests && !(ownerless && r.token.UserName != "") {
			return errAgain
		}
		return nil
	case r.state == damaged && rests:
		return errAgain // It may have the key, and this hint is new: look again.
	case r.state == foreign || r.state == unreadable || r.state == damaged && r.opaque:
		// No save can be about to write this row, or it cannot be fenced.
		return nil
	}
	// A save in progress or the leftover of a crash, which cannot be distinguished: if
	// there is a save, make it fail.
	a.rows.drop(r.id)
	if _, err := a.s.write(ctx, a.s.fenced(r, hint.Generation)); err != nil {
		return err
	}
	if stays, err := a.hintStays(ctx, r); stays || err != nil {
		return err
	}
	return a.view.Release(ctx, index.Claim{Hash: a.s.hash(k), ID: hint.ID, Generation: hint.Generation})
}

// hintStays reports whether the hint of a key that the row does not have must be kept. If a
// person has edited or damaged the row, it is unknown which of its keys have hints. This
// may be the last one, and the only one that leads to the row in an index that serves as
// the list of all tokens; the same is true if the edit cannot be detected.
func (a *attempt) hintStays(ctx context.Context, r *row) (bool, error) {
	switch {
	case r.state == damaged || r.state == live && a.s.edited(r):
		return true, nil
	case r.state != live:
		return false, nil
	}
	var hashes []string
	for _, k := range a.s.keys(r.token) {
		hashes = append(hashes, a.s.hash(k))
	}
	hints, err := a.view.Lookup(ctx, hashes...)
	if err != nil {
		return true, err
	}
	for _, of := range hints {
		if slices.ContainsFunc(of, func(h index.Hint) bool { return h.ID == r.id }) {
			return false, nil
		}
	}
	return true, nil
}
