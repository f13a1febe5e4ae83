package importer

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// look decides what becomes of each row, and writes nothing.
func (im *importing) look(ctx context.Context) error {
	im.stored = make([]tokenstore.OAuthToken, len(im.tokens))
	there, err := im.destination.GetTokens(ctx)
	if err != nil {
		return fmt.Errorf("read the destination: %w", err)
	}
	known := newRows(there)
	moved := fold(im.tokens)
	for i, t := range im.tokens {
		row := &im.report.Rows[i]
		if first := moved[i]; first != i {
			row.Outcome, row.Reason = Folded, fmt.Sprintf("into row %d", first+1)
			continue
		}
		im.decide(row, i, t, known)
	}
	return nil
}

// decide compares a row with what the destination has.
func (im *importing) decide(row *Row, i int, t tokenstore.OAuthToken, known *rows) {
	if err := tokenstore.CheckInsert(t); err != nil {
		row.Outcome, row.Reason = Refused, err.Error()
		return
	}
	stored, ok := known.same(t)
	if other, taken := known.byID[t.ID]; im.options.KeepIDs && taken && (!ok || other.ID != stored.ID) {
		row.Outcome, row.Reason = Refused, "another token has this ID in the destination; without --keep-ids it gets a new one"
		return
	}
	if !ok {
		row.Outcome = Created
		return
	}
	row.ID, im.stored[i] = stored.ID, stored
	switch {
	case tokenstore.Update(stored, t) == stored:
		row.Outcome = Present
	case im.options.Overwrite:
		row.Outcome = Overwritten
	default:
		row.Outcome, row.Reason = Differs, "left alone; --overwrite takes the source's values"
	}
}

// verify finds every token by each of its keys and by its ID, and compares it.
func (im *importing) verify(ctx context.Context) error {
	for i, want := range im.stored {
		if want.ID == "" || im.report.Rows[i].Outcome == Folded {
			continue
		}
		for _, k := range tokenstore.KeysOf(want) {
			found, err := im.destination.FindToken(ctx, tokenstore.QueryFor(k))
			if err := im.compare(ctx, i, k.String(), found, err, want, k); err != nil {
				return err
			}
		}
		found, err := im.destination.FindTokenByID(ctx, want.ID)
		if err := im.compare(ctx, i, "id", found, err, want, tokenstore.Key{}); err != nil {
			return err
		}
	}
	return nil
}

// compare notes what a find found. Where several tokens hold a key, a find
// gives one of them, which need not be this one.
func (im *importing) compare(ctx context.Context, i int, key string, found tokenstore.OAuthToken, err error, want tokenstore.OAuthToken, k tokenstore.Key) error {
	im.report.Finds++
	lost := func(reason string) {
		im.report.Lost = append(im.report.Lost, Lost{Number: i + 1, Key: key, Reason: reason})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, tokenstore.ErrNotFound):
		lost("not found")
	case err != nil:
		lost(err.Error())
	case found == want:
	case found.ID != want.ID && tokenstore.Holds(found, k):
	default:
		lost("found with other values")
	}
	return nil
}
