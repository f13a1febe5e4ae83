// Writing the rows, many at a time where the destination can.

package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
)

const (
	// chunk is how many tokens are saved together where the destination can.
	chunk = 100
	// firstChunk is how many are at first, so that progress shows soon.
	firstChunk = 10
)

// batcher is a store that saves many tokens at the cost of few writes of its
// index.
type batcher interface {
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// write saves the rows that are to be created or updated.
func (im *importing) write(ctx context.Context) error {
	var todo []int
	for i, row := range im.report.Rows {
		if row.Outcome == Created || row.Outcome == Updated {
			todo = append(todo, i)
		}
	}
	total := len(todo)
	im.progress(0, total)
	for done := 0; done < total; {
		n := min(chunk, total-done)
		if done == 0 {
			n = min(firstChunk, total)
		}
		if err := im.save(ctx, todo[done:done+n]); err != nil {
			im.left(todo[done+n:]...)
			return fmt.Errorf("write the destination: %w", err)
		}
		done += n
		im.progress(done, total)
	}
	return nil
}

func (im *importing) progress(done, total int) {
	if im.options.Progress != nil && total > 0 {
		im.options.Progress(done, total)
	}
}

// left notes rows that were not written.
func (im *importing) left(rows ...int) {
	for _, i := range rows {
		im.report.Rows[i].Outcome, im.report.Rows[i].Reason = NotWritten, "the import ended before this row; run it again"
		im.stored[i] = tokenstore.OAuthToken{}
	}
}

// ends reports whether every save that follows would fail with the same error: the
// context has ended, or the store does not answer.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, tokenstore.ErrUnavailable) || errors.Is(err, tokenstore.ErrThrottled)
}

// ofRow reports whether an error says something of the one row. Any other may be one of
// the destination: a login that ended, a permission that is missing, no room.
func ofRow(err error) bool {
	for _, kind := range []error{tokenstore.ErrInvalidToken, tokenstore.ErrTooLarge, tokenstore.ErrConflict, tokenstore.ErrUnreadable} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// save saves a few rows, together if the destination can. The error ends the import.
func (im *importing) save(ctx context.Context, rows []int) error {
	tokens := make([]tokenstore.OAuthToken, len(rows))
	for n, i := range rows {
		tokens[n] = im.saves[i]
	}
	stored := make([]tokenstore.OAuthToken, len(rows))
	if b, ok := im.destination.(batcher); ok && len(tokens) > 1 {
		if saved, _ := b.SaveTokens(ctx, tokens); len(saved) == len(rows) {
			stored = saved
		}
	}
	// What was not saved together is saved alone, so that each row has an error
	// of its own.
	var end error
	var uncertain, refused []int
	for n, i := range rows {
		if stored[n].ID == "" && end != nil {
			uncertain = append(uncertain, i)
			continue
		}
		var err error
		if stored[n].ID == "" {
			stored[n], err = im.destination.SaveToken(ctx, tokens[n])
		}
		switch {
		case err == nil:
			im.open = true
			im.done(i, stored[n])
		case ends(ctx, err):
			if end = err; ctx.Err() != nil {
				end = ctx.Err() // The store may have given it another name.
			}
			uncertain = append(uncertain, i)
		case ofRow(err):
			im.open = true
			im.refuse(i, err)
		case im.loggedOut(ctx):
			end = loggedOut(err)
			uncertain = append(uncertain, i)
		default:
			im.refuse(i, err)
			refused = append(refused, i)
			if im.shut == nil {
				im.shut = err
			}
		}
	}
	if end == nil && len(refused) == len(rows) && (!im.open || len(rows) >= firstChunk) {
		end = im.shut // It takes none any more, whatever it says to a reader.
		im.left(refused...)
	}
	if end != nil {
		im.ask(ctx, uncertain)
	}
	return end
}

// done notes a row that was saved.
func (im *importing) done(i int, stored tokenstore.OAuthToken) {
	im.stored[i], im.report.Rows[i].ID, im.last = stored, stored.ID, stored.ID
}

func (im *importing) refuse(i int, err error) {
	im.report.Rows[i].Outcome, im.report.Rows[i].Reason = Refused, err.Error()
	im.stored[i] = tokenstore.OAuthToken{}
}

// loggedOut reports whether the destination refuses to show what it has shown or taken
// before.
func (im *importing) loggedOut(ctx context.Context) bool {
	if im.last == "" {
		return false
	}
	_, err := im.destination.FindTokenByID(ctx, im.last)
	return err != nil && !errors.Is(err, tokenstore.ErrNotFound) && !ofRow(err)
}

// loggedOut returns the error of a destination that answered before.
func loggedOut(err error) error {
	if errors.Is(err, tokenstore.ErrDenied) {
		return fmt.Errorf("the login is no longer accepted; log in again, and run the import again: %w", err)
	}
	return fmt.Errorf("the store no longer answers as it did before; run the import again: %w", err)
}

// askTime bounds how long the import asks for what its end left uncertain.
const askTime = 10 * time.Second

// ask finds out which rows were written of those that were being written when the
// import ended: a save that was cut off may have been carried out. The context has
// ended, perhaps, and must not keep it from asking.
func (im *importing) ask(ctx context.Context, rows []int) {
	outcomes := make([]Outcome, len(rows))
	for n, i := range rows {
		outcomes[n] = im.report.Rows[i].Outcome
	}
	im.left(rows...)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	for n, i := range rows {
		found, err := im.destination.FindToken(ctx, im.queryFor(i))
		switch {
		case err == nil && tokenstore.Update(found, im.saves[i]) == found:
			im.report.Rows[i].Outcome, im.report.Rows[i].Reason = outcomes[n], "the import ended while it was written"
			im.done(i, found)
		case err == nil, errors.Is(err, tokenstore.ErrNotFound):
		default:
			for _, i := range rows[n:] {
				im.report.Rows[i].Reason = "the import ended at this row, and the store does not say whether it was written; run it again"
			}
			return
		}
	}
}

// queryFor returns the query that finds what a row's save has stored.
func (im *importing) queryFor(i int) tokenstore.OAuthToken {
	if id := im.saves[i].ID; id != "" {
		return tokenstore.OAuthToken{ID: id}
	}
	return tokenstore.QueryFor(identity(im.saves[i])[0])
}
