// Writing the rows, many at a time where the destination can.

package importer

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
)

// chunk is how many tokens are saved together where the destination can.
const chunk = 100

// batcher is a store that saves many tokens at the cost of few writes of its
// index.
type batcher interface {
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// write saves the rows that are to be created or overwritten.
func (im *importing) write(ctx context.Context) error {
	var todo []int
	for i, row := range im.report.Rows {
		if row.Outcome == Created || row.Outcome == Overwritten {
			todo = append(todo, i)
		}
	}
	for done, total := 0, len(todo); done < total; {
		n := min(chunk, total-done)
		if err := im.save(ctx, todo[done:done+n]); err != nil {
			im.left(todo[done+n:]...)
			return err
		}
		if !im.open && im.shut != nil {
			im.left(todo...)
			return fmt.Errorf("write the destination: %w", im.shut)
		}
		done += n
		if im.options.Progress != nil {
			im.options.Progress(done, total)
		}
	}
	return nil
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

// shuts reports whether every save is likely to fail with this error: a permission is
// missing, or there is no room.
func shuts(err error) bool {
	return errors.Is(err, tokenstore.ErrDenied) || errors.Is(err, tokenstore.ErrQuota)
}

// save saves a few rows, together if the destination can.
func (im *importing) save(ctx context.Context, rows []int) error {
	tokens := make([]tokenstore.OAuthToken, len(rows))
	for n, i := range rows {
		tokens[n] = im.destined(i)
	}
	stored := make([]tokenstore.OAuthToken, len(rows))
	if b, ok := im.destination.(batcher); ok {
		if saved, _ := b.SaveTokens(ctx, tokens); len(saved) == len(rows) {
			stored = saved
		}
	}
	// What was not saved together is saved alone, so that each row has an error
	// of its own.
	var end error
	for n, i := range rows {
		if stored[n].ID == "" && end != nil {
			im.left(i)
			continue
		}
		var err error
		if stored[n].ID == "" {
			stored[n], err = im.destination.SaveToken(ctx, tokens[n])
		}
		switch {
		case err == nil:
			im.open = true
			im.stored[i], im.report.Rows[i].ID = stored[n], stored[n].ID
		case ends(ctx, err):
			end = err
			im.left(i)
		default:
			im.refuse(i, err)
			if !shuts(err) {
				im.open = true
			} else if im.shut == nil {
				im.shut = err
			}
		}
	}
	return end
}

// destined returns a row's token as it is to be saved.
func (im *importing) destined(i int) tokenstore.OAuthToken {
	t := im.tokens[i]
	if im.report.Rows[i].Outcome == Overwritten {
		t.ID = im.stored[i].ID
	} else if !im.options.KeepIDs {
		t.ID = ""
	}
	return t
}

func (im *importing) refuse(i int, err error) {
	im.report.Rows[i].Outcome, im.report.Rows[i].Reason = Refused, err.Error()
	im.stored[i] = tokenstore.OAuthToken{}
}
