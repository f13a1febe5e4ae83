package secretstore

import (
	"context"
	"slices"
	"strings"

	"example.com/tokenstore/index"
)

// hints goes through the index and releases hints without a token.
func (r *repair) hints(ctx context.Context) error {
	view := r.s.index.View()
	var old []index.Claim
	for entry, err := range r.s.index.All(ctx) {
		if err = r.pass(err); err != nil {
			return err
		}
		for _, hint := range entry.Hints {
			switch {
			case r.hit(entry.Hash, hint.ID):
			case r.s.now().Sub(hint.Claimed) <= r.s.grace:
				r.report.HintsYoung++
			default:
				r.report.HintsRemoved++
				old = append(old, index.Claim{Hash: entry.Hash, ID: hint.ID, Generation: hint.Generation, Claimed: hint.Claimed})
			}
		}
	}
	if r.options.DryRun || len(old) == 0 {
		return nil
	}
	return r.release(ctx, view, old)
}

// hit reports whether the row with this ID held a key of this hash, or may have,
// when the repair read it. An index may have shortened the hash.
func (r *repair) hit(hash, id string) bool {
	return r.passed[id] || slices.ContainsFunc(r.keys[id], func(full string) bool { return strings.HasPrefix(full, hash) })
}

// confirmAbsent reads the rows that are absent once more, each with a call of its
// own: only an answer about this very secret says that it is.
func (r *repair) confirmAbsent(ctx context.Context, rows []*row) error {
	var places []int
	for i, row := range rows {
		if row.state == absent {
			places = append(places, i)
		}
	}
	if err := r.s.readAgain(ctx, rows, places); err != nil {
		return err
	}
	return r.witness.recognise(ctx, rows...)
}

// release removes old hints, after another look at their rows: one may have
// come to hold the key since the repair read it. A save that is about to hold it
// has claimed the key again, for what may be the same generation: that hint is no
// longer the old one, and stays.
func (r *repair) release(ctx context.Context, view index.View, old []index.Claim) error {
	var ids []string
	for _, c := range old {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	rows, err := r.read(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	if err := r.confirmAbsent(ctx, rows); err != nil {
		return err
	}
	for _, row := range rows {
		r.see(row)
	}
	before := len(old)
	old = slices.DeleteFunc(old, func(c index.Claim) bool { return r.hit(c.Hash, c.ID) })
	r.report.HintsRemoved -= before - len(old)
	return view.Release(ctx, old...)
}
