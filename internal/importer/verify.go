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
func (b *batch) verify(ctx context.Context) error {
	var queries []tokenstore.OAuthToken
	for i := range b.stored {
		if b.moved(i) {
			queries = append(queries, queriesFor(b.stored[i])...)
		}
	}
	together := b.findTogether(ctx, queries)
	for i, want := range b.stored {
		if !b.moved(i) {
			continue
		}
		row := &b.rows[i]
		lost, made, err := b.findAgain(ctx, i, want, together)
		if err == nil && row.Outcome == Present && len(lost) > 0 {
			if saved, failed := b.destination.SaveToken(ctx, want); failed == nil {
				row.Outcome, row.Reason, b.stored[i] = Updated, "some of its keys did not find it; it was saved again", saved
				lost, made, err = b.findAgain(ctx, i, saved, &finds{destination: b.destination})
			}
			if len(lost) > 0 {
				row.Outcome, row.Reason = Undecided, "the store has it, but not all of its keys find it; run reindex on the store, and import again"
			}
		}
		b.report.Finds += made
		b.report.Lost = append(b.report.Lost, lost...)
		if err != nil {
			return fmt.Errorf("look for the tokens again: %w", err)
		}
	}
	b.settle()
	return nil
}

// moved reports whether a row was moved, or is there, and not as another row.
func (b *batch) moved(i int) bool {
	switch b.rows[i].Outcome {
	case Created, Updated, Present:
		return b.stored[i].ID != ""
	}
	return false
}

// queriesFor returns the queries that find a token: by its ID, and by each of its keys.
func queriesFor(t tokenstore.OAuthToken) []tokenstore.OAuthToken {
	queries := []tokenstore.OAuthToken{{ID: t.ID}}
	for _, k := range tokenstore.KeysOf(t) {
		queries = append(queries, tokenstore.QueryFor(k))
	}
	return queries
}

// findAgain finds a token by its ID and by each of its keys. The error means that the
// destination does not answer any more.
func (b *batch) findAgain(ctx context.Context, i int, want tokenstore.OAuthToken, finds *finds) (lost []Lost, made int, err error) {
	current, err := finds.find(ctx, tokenstore.OAuthToken{ID: want.ID})
	if err == nil && current != want && newer(current, want) {
		row := &b.rows[i]
		row.Warnings = append(row.Warnings, "changed in the store since it was moved")
		want = current // Somebody uses the store already.
	}
	note := func(key string, found tokenstore.OAuthToken, err error, k tokenstore.Key) error {
		if over := b.over(ctx, err); over != nil {
			return over
		}
		made++
		if reason := missed(found, err, want, k); reason != "" {
			lost = append(lost, Lost{Number: b.rows[i].Number, Key: key, Reason: reason})
		}
		return nil
	}
	for _, k := range tokenstore.KeysOf(want) {
		found, err := finds.find(ctx, tokenstore.QueryFor(k))
		if err := note(k.String(), found, err, k); err != nil {
			return lost, made, err
		}
	}
	if err := note("id", current, err, tokenstore.Key{}); err != nil {
		return lost, made, err
	}
	b.last = want.ID
	return lost, made, nil
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
