// Reading the rows that one attempt needs, each once.

package secretstore

import (
	"context"
	"slices"
)

// missing returns the IDs of the rows that this attempt has not read yet.
func (a *attempt) missing(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return a.rows.get(id) != nil })
}

// load reads the rows that this attempt has not read yet.
func (a *attempt) load(ctx context.Context, ids []string) error {
	missing := a.missing(ids)
	switch len(missing) {
	case 0:
		return nil
	case 1:
		_, err := a.row(ctx, missing[0])
		return err
	}
	return a.loadMany(ctx, missing, a.s.readAll)
}

// loadFound is load for rows to which something leads. For a find it reads absent ones once
// more, each with a call of its own, as only that proves it; a save learns it when it writes.
func (a *attempt) loadFound(ctx context.Context, ids []string) error {
	missing := a.missing(ids)
	if !a.finding || len(missing) < 2 {
		return a.load(ctx, missing)
	}
	return a.loadMany(ctx, missing, a.s.readListed)
}

func (a *attempt) loadMany(ctx context.Context, ids []string, read func(context.Context, []string, *permission) ([]*row, error)) error {
	rows, err := read(ctx, ids, &permission{})
	if err != nil {
		return err
	}
	for _, r := range rows {
		a.keep(ctx, r)
	}
	return nil
}
