// Writing the rows, many at a time where the destination can.

package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/progress"
)

// patience is how many rows in a row the destination may refuse for a reason that is not
// the row's before it is taken for shut.
const patience = 10

// batcher is a store that saves many tokens at the cost of few writes of its
// index.
type batcher interface {
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// write saves the rows that are to be created or updated.
func (b *batch) write(ctx context.Context) error {
	var todo []int
	for i, row := range b.rows {
		if row.Outcome == Created || row.Outcome == Updated {
			todo = append(todo, i)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	if err := b.create(ctx); err != nil {
		return err
	}
	if err := b.save(ctx, todo); err != nil {
		return fmt.Errorf("write the destination: %w", err)
	}
	return nil
}

// createError is the error of a destination that cannot be created.
type createError struct{ err error }

func (e *createError) Error() string { return e.err.Error() }
func (e *createError) Unwrap() error { return e.err }

// create creates the destination, if it does not exist.
func (im *importing) create(ctx context.Context) error {
	if im.options.Create == nil {
		return nil
	}
	destination, err := im.options.Create(ctx)
	if err != nil {
		return &createError{err}
	}
	im.destination, im.options.Create = destination, nil
	return nil
}

// left notes rows that were not written.
func (b *batch) left(rows ...int) {
	for _, i := range rows {
		b.rows[i].Outcome, b.rows[i].Reason = NotWritten, ""
		b.stored[i] = tokenstore.OAuthToken{}
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

// save saves rows, together if the destination can. The error ends the import.
func (b *batch) save(ctx context.Context, rows []int) error {
	stored := b.saveTogether(ctx, rows)
	// What was not saved together is saved alone, so that each row has an error
	// of its own.
	var end error
	var unsaved, refused []int
	uncertain := false // The rows that were not saved when the import ended may have been written.
	for n, i := range rows {
		if stored[n].ID != "" {
			b.taken(i, stored[n])
			refused = nil
			continue
		}
		if end != nil {
			unsaved = append(unsaved, i)
			continue
		}
		saved, err := b.destination.SaveToken(ctx, b.saves[i])
		switch {
		case err == nil:
			b.taken(i, saved)
			refused = nil
			b.step()
		case ends(ctx, err):
			if end = err; ctx.Err() != nil {
				end = ctx.Err() // The store may have given it another name.
			}
			unsaved, uncertain = append(unsaved, i), true
		case ofRow(err):
			b.open, b.shuts = true, 0
			b.refuse(i, err)
			refused = nil
			b.step()
		case b.loggedOut(ctx):
			end = loggedOut(err)
			unsaved, uncertain = append(unsaved, i), true
		default:
			if b.shut == nil {
				b.shut = err
			}
			b.refuse(i, err)
			refused = append(refused, i)
			if b.shuts++; b.shuts == patience {
				end = b.shut // It takes none any more, whatever it says to a reader.
			}
		}
	}
	if end == nil && !b.open && len(refused) == len(rows) {
		end = b.shut
	}
	if end != nil && !uncertain {
		b.left(append(refused, unsaved...)...)
	} else if end != nil {
		b.ask(ctx, unsaved)
	}
	return end
}

// saveTogether saves rows in one call, if the destination can, and returns what was
// saved. A destination that saves all or none gets halves if a row is at fault.
func (b *batch) saveTogether(ctx context.Context, rows []int) []tokenstore.OAuthToken {
	stored := make([]tokenstore.OAuthToken, len(rows))
	many, ok := tokenstore.As[batcher](b.destination)
	if !ok || len(rows) < 2 {
		return stored
	}
	tokens := make([]tokenstore.OAuthToken, len(rows))
	for n, i := range rows {
		tokens[n] = b.saves[i]
	}
	saved, err := many.SaveTokens(progress.With(ctx, b.step), tokens)
	if len(saved) == len(rows) {
		return saved
	}
	if !ofRow(err) || ends(ctx, err) {
		return stored
	}
	half := len(rows) / 2
	return append(b.saveTogether(ctx, rows[:half]), b.saveTogether(ctx, rows[half:])...)
}

// step reports that a row of the batch was handled.
func (b *batch) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.handled < len(b.rows) {
		b.handled++
	}
	b.progress(Moving, b.importing.done+b.handled, b.total)
}

// taken notes a row that was saved.
func (b *batch) taken(i int, stored tokenstore.OAuthToken) {
	b.open, b.shuts = true, 0
	b.stored[i], b.rows[i].ID, b.last = stored, stored.ID, stored.ID
}

func (b *batch) refuse(i int, err error) {
	b.rows[i].Outcome, b.rows[i].Reason = Refused, err.Error()
	b.stored[i] = tokenstore.OAuthToken{}
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
func (b *batch) ask(ctx context.Context, rows []int) {
	outcomes := make([]Outcome, len(rows))
	queries := make([]tokenstore.OAuthToken, len(rows))
	for n, i := range rows {
		outcomes[n], queries[n] = b.rows[i].Outcome, b.queryFor(i)
	}
	b.left(rows...)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	finds := b.findTogether(ctx, queries)
	for n, i := range rows {
		found, err := finds.find(ctx, queries[n])
		switch {
		case err == nil && tokenstore.Update(found, b.saves[i]) == found:
			b.rows[i].Outcome, b.rows[i].Reason = outcomes[n], "the import ended while it was written"
			b.taken(i, found)
		case err == nil, errors.Is(err, tokenstore.ErrNotFound):
		default:
			for _, i := range rows[n:] {
				b.rows[i].Reason = "the import ended at this row, and the store does not say whether it was written"
			}
			return
		}
	}
}

// queryFor returns the query that finds what a row's save has stored.
func (b *batch) queryFor(i int) tokenstore.OAuthToken {
	if id := b.saves[i].ID; id != "" {
		return tokenstore.OAuthToken{ID: id}
	}
	return tokenstore.QueryFor(identity(b.saves[i])[0])
}
