// The repair's removal of hints without a token.

package secretstore

import (
	"context"
	"slices"
	"strings"

	"example.com/tokenstore/index"
)

// hints reads the index and releases hints without a token.
func (r *repair) hints(ctx context.Context) error {
	view := r.hinting.View()
	var old []index.Claim
	for entry, err := range r.hinting.All(ctx) {
		if err = r.pass(err); err != nil {
			return err
		}
		for _, hint := range entry.Hints {
			r.rotations.hint(entry.Hash, hint)
			switch {
			case r.hit(entry.Hash, hint.ID):
			case r.s.now().Sub(hint.Claimed) <= r.s.grace:
				r.report.HintsYoung++
			default:
				old = append(old, index.Claim{Hash: entry.Hash, ID: hint.ID, Generation: hint.Generation, Claimed: hint.Claimed})
			}
		}
	}
	old, err := r.confirm(ctx, old)
	if err != nil {
		return err
	}
	r.report.HintsRemoved = len(old)
	if r.options.DryRun || len(old) == 0 {
		return nil
	}
	return r.pass(view.Release(ctx, old...))
}

// hit reports whether the row with this ID had, or may have had, a key with this hash when
// the repair read it. The index may have shortened the hash.
func (r *repair) hit(hash, id string) bool {
	return r.passed[id] || slices.ContainsFunc(r.keys[id], func(full string) bool { return strings.HasPrefix(full, hash) })
}

// confirm reads the rows of the old hints again and returns the hints that are still
// without a token: a row may have got the key since the repair read it. A save that is
// about to write the key has claimed it again, perhaps for the same generation; that hint
// is not the old one any more, and stays.
func (r *repair) confirm(ctx context.Context, old []index.Claim) ([]index.Claim, error) {
	var ids []string
	for _, c := range old {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	rows, err := r.read(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		r.see(row)
	}
	return slices.DeleteFunc(old, func(c index.Claim) bool { return r.hit(c.Hash, c.ID) }), nil
}
