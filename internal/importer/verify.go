// Looking for every token again, by each of its keys.

package importer

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// verify finds every token by each of its keys and by its ID, and compares it. A token
// that was there already, and that its keys do not find, is saved again, which makes
// them find it.
func (im *importing) verify(ctx context.Context) error {
	for i, want := range im.stored {
		row := &im.report.Rows[i]
		switch row.Outcome {
		case Created, Updated, Present:
		default:
			continue // It was not moved.
		}
		if want.ID == "" {
			continue // It is that of another row.
		}
		lost, finds, err := im.findAgain(ctx, i, want)
		if err == nil && row.Outcome == Present && len(lost) > 0 {
			if saved, failed := im.destination.SaveToken(ctx, want); failed == nil {
				row.Outcome, row.Reason, im.stored[i] = Updated, "some of its keys did not find it; it was saved again", saved
				lost, finds, err = im.findAgain(ctx, i, saved)
			}
			if len(lost) > 0 {
				row.Outcome, row.Reason = Undecided, "the store has it, but not all of its keys find it; run reindex on the store, and import again"
			}
		}
		im.report.Finds += finds
		im.report.Lost = append(im.report.Lost, lost...)
		if err != nil {
			return fmt.Errorf("look for the tokens again: %w", err)
		}
	}
	im.settle()
	return nil
}

// findAgain finds a token by its ID and by each of its keys. The error means that the
// destination does not answer any more.
func (im *importing) findAgain(ctx context.Context, i int, want tokenstore.OAuthToken) (lost []Lost, finds int, err error) {
	current, err := im.destination.FindTokenByID(ctx, want.ID)
	if err == nil && current != want && newer(current, want) {
		row := &im.report.Rows[i]
		row.Warnings = append(row.Warnings, "changed in the store since it was moved")
		want = current // Somebody uses the store already.
	}
	note := func(key string, found tokenstore.OAuthToken, err error, k tokenstore.Key) error {
		if over := im.over(ctx, err); over != nil {
			return over
		}
		finds++
		if reason := missed(found, err, want, k); reason != "" {
			lost = append(lost, Lost{Number: im.report.Rows[i].Number, Key: key, Reason: reason})
		}
		return nil
	}
	for _, k := range tokenstore.KeysOf(want) {
		found, err := im.destination.FindToken(ctx, tokenstore.QueryFor(k))
		if err := note(k.String(), found, err, k); err != nil {
			return lost, finds, err
		}
	}
	if err := note("id", current, err, tokenstore.Key{}); err != nil {
		return lost, finds, err
	}
	im.last = want.ID
	return lost, finds, nil
}

// newer reports whether a token is another one with a later access token.
func newer(current, want tokenstore.OAuthToken) bool {
	return current.UserName == want.UserName && current.AccessToken != want.AccessToken && current.Expiry.After(want.Expiry)
}

// over returns the error that ends the import, if the error of a find is one that all
// others would have too.
func (im *importing) over(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil, errors.Is(err, tokenstore.ErrNotFound), ofRow(err):
		return nil
	case ends(ctx, err):
		return err
	case im.loggedOut(ctx):
		return loggedOut(err)
	}
	return nil
}

// missed says how a find did not find the token, or nothing. Where several tokens
// hold a key, a find gives one of them, which need not be this one.
func missed(found tokenstore.OAuthToken, err error, want tokenstore.OAuthToken, k tokenstore.Key) string {
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return "not found"
	case err != nil:
		return err.Error()
	case found == want, found.ID != want.ID && tokenstore.Holds(found, k):
		return ""
	}
	return "found with other values"
}
