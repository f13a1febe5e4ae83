package importer

import (
	"context"
	"errors"

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
	if im.options.DryRun {
		return nil
	}
	done := 0
	for len(todo) > 0 {
		n := min(chunk, len(todo))
		im.save(ctx, todo[:n])
		if err := ctx.Err(); err != nil {
			im.unwritten(todo[n:], err)
			return err
		}
		todo, done = todo[n:], done+n
		if im.options.Progress != nil {
			im.options.Progress(done, done+len(todo))
		}
	}
	return nil
}

// unwritten notes the rows to which an interrupted import did not come.
func (im *importing) unwritten(rows []int, err error) {
	for _, i := range rows {
		im.refuse(i, err)
	}
}

// save saves a few rows, together if the destination can.
func (im *importing) save(ctx context.Context, rows []int) {
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
	for n, i := range rows {
		var err error
		if stored[n].ID == "" {
			stored[n], err = im.destination.SaveToken(ctx, tokens[n])
		}
		if err != nil {
			im.refuse(i, err)
			continue
		}
		im.stored[i], im.report.Rows[i].ID = stored[n], stored[n].ID
	}
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
	reason := err.Error()
	if errors.Is(err, context.Canceled) {
		reason = "interrupted; run the import again"
	}
	im.report.Rows[i].Outcome, im.report.Rows[i].Reason = Refused, reason
	im.stored[i] = tokenstore.OAuthToken{}
}
