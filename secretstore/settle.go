package secretstore

import (
	"context"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// settle looks at the hints of others that stood beside the claims of a plan.
// Of two saves that race for one key, the one that claims second either sees
// the other's row here, or makes the other's write fail.
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
	// What the attempt read before its claim does not count here.
	r, err := a.s.read(ctx, hint.ID)
	if err != nil {
		return err
	}
	if r.holds(k) {
		ownerless, rests := p.rests[k]
		if rests && !(ownerless && r.token.UserName != "") {
			return errAgain
		}
		return nil
	}
	if r.state == foreign || r.state == unreadable {
		// No save can be on its way to this row, and it is not ours to write.
		return nil
	}
	// A save in flight or the leftover of a crash: one cannot tell, so make
	// the save fail if there is one.
	delete(a.rows, r.id)
	if _, err := a.s.write(ctx, a.s.fenced(r, hint.Generation)); err != nil {
		return err
	}
	if r.state == live && a.s.edited(r) {
		// A person has changed its keys. This may be the last hint of it in an
		// index that is the list of all tokens: it stays until the row is saved.
		return nil
	}
	return a.view.Release(ctx, index.Claim{Hash: a.s.hash(k), ID: hint.ID, Generation: hint.Generation})
}
