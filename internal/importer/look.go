// What becomes of each row, decided before anything is written, and proved afterwards.

package importer

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// look decides what becomes of each row, and writes nothing.
func (im *importing) look(ctx context.Context) error {
	there, err := im.destination.GetTokens(ctx)
	if err != nil {
		return fmt.Errorf("read the destination: %w", err)
	}
	source := im.tokens
	im.stored, im.first = make([]tokenstore.OAuthToken, len(source)), make([]int, len(source))
	known := newRows(there)
	tokens, into := fold(source)
	im.tokens = tokens
	for i := range source {
		if row := &im.report.Rows[i]; into[i] != i {
			row.Outcome, row.Reason = Folded, folded(source[i], tokens[into[i]], into[i]+1)
			continue
		}
		im.decide(i, known)
	}
	return nil
}

// decide compares a row with what the destination has, or will have when the
// rows before it are written. A token is the target of one row only.
func (im *importing) decide(i int, known *rows) {
	row, t, number := &im.report.Rows[i], im.tokens[i], i+1
	if err := tokenstore.CheckInsert(t); err != nil {
		row.Outcome, row.Reason = Refused, err.Error()
		return
	}
	there := known.same(t)
	if other := known.byID[t.ID]; im.options.KeepIDs && other != nil && other != there {
		row.Outcome, row.Reason = Refused, "another token in the destination has this ID; import without --keep-ids to give this one a new ID"
		if other.row > 0 {
			row.Reason = fmt.Sprintf("row %d has this ID in the destination; import without --keep-ids to give this one a new ID", other.row)
		}
		return
	}
	if there == nil {
		row.Outcome = Created
		if !im.options.KeepIDs {
			t.ID = ""
		}
		known.set(&held{}, t, number)
		return
	}
	row.ID = there.token.ID
	updated := tokenstore.Update(there.token, t)
	switch same := updated == there.token; {
	case there.row > 0:
		im.first[i] = there.row
		row.Outcome, row.Reason = Present, fmt.Sprintf("as row %d", there.row)
		if !same {
			row.Outcome, row.Reason = Differs, fmt.Sprintf("left alone; row %d is the same token with other values", there.row)
		}
		return
	case same:
		row.Outcome, there.row = Present, number
	case im.options.Overwrite:
		row.Outcome = Overwritten
	default:
		row.Outcome, row.Reason = Differs, "left alone; use --overwrite to take the source's values"
	}
	im.stored[i] = there.token
	if row.Outcome == Overwritten {
		known.set(there, updated, number)
	}
}

// settle gives each row that is the same token as an earlier row the ID of that row
// and, if that one was not moved, its outcome.
func (im *importing) settle() {
	for i, number := range im.first {
		if number == 0 {
			continue
		}
		row, first := &im.report.Rows[i], im.report.Rows[number-1]
		row.ID = first.ID
		if first.Outcome == Refused || first.Outcome == NotWritten {
			row.Outcome, row.Reason = first.Outcome, fmt.Sprintf("as row %d, which is the same token", number)
		}
	}
}

// verify finds every token by each of its keys and by its ID, and compares it.
func (im *importing) verify(ctx context.Context) error {
	for i, want := range im.stored {
		if outcome := im.report.Rows[i].Outcome; want.ID == "" || outcome == Folded || outcome == Differs {
			continue // It was not moved.
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
