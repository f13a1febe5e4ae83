// The verb that deletes all tokens of a store: what it has counted, and nothing else.

package command

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"github.com/spf13/cobra"
)

func deleteAllCommand() *cobra.Command {
	var ask consent
	verb := &cobra.Command{
		Use:   "delete-all STORE",
		Short: "Delete all tokens of a store",
		Long: `Delete-all deletes all tokens of a store, and nothing else at that place. It counts them, and
wants the number typed before it deletes anything; where standard input is not a terminal, it
wants --yes.

A token that somebody changes or saves after the count is left alone and reported, so that a
program which still uses the store loses nothing unseen: stop it, and run the command again. A
token that cannot be read is left alone, too: delete it by its ID. The report names every token
with what became of it, also after an interruption. Running the command again finishes the job.

The provider is not told: revoke ends a token there, too. The exit code is 1 if a token could
not be deleted, and 4 if one was left alone.`,
		Example: `  {name} delete-all {local} --dry-run
  {name} delete-all {local}
  {name} delete-all {service} --yes --json`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			if err := ask.canAsk(verb); err != nil {
				return err
			}
			return withExisting(verb.Context(), args[0], ask.dryRun, func(store tokenstore.OpenStore) error {
				d := &clearing{store: store, url: args[0], meter: newMeter(verb, "tokens"), tokens: map[string]*counted{}}
				d.report.DryRun = ask.dryRun
				return d.run(verb, &ask)
			})
		},
	}
	ask.flags(verb)
	return verb
}

// deleteTogether is how many tokens are deleted together.
const deleteTogether = 500

// clearing deletes all tokens of a store.
type clearing struct {
	store  tokenstore.Store
	url    string
	meter  *meter
	report changes
	tokens map[string]*counted // by ID
	done   int
}

// counted is a token that was counted.
type counted struct {
	row  int               // in the report
	look [sha256.Size]byte // of what a deletion compares
	met  bool              // it was still there when its turn came
}

func (d *clearing) run(verb *cobra.Command, ask *consent) error {
	ctx := verb.Context()
	defer d.meter.clear()
	unread, err := d.count(ctx)
	d.meter.clear()
	if err != nil {
		return err
	}
	if len(d.tokens) == 0 && unread == 0 {
		if nothing := ifNothing(ctx, d.store, d.url); nothing != nil {
			return nothing
		}
		if !wantsJSON(verb) {
			_, err := io.WriteString(verb.OutOrStdout(), "the store has no tokens\n")
			return err
		}
	}
	if len(d.tokens) > 0 && !d.report.DryRun {
		if err := d.confirm(verb, ask); err != nil {
			return err
		}
		err = d.clear(ctx)
		d.meter.clear()
	}
	return d.report.finish(verb, err)
}

// count makes a row of the report for each token, and remembers what it looked like.
func (d *clearing) count(ctx context.Context) (unread int, err error) {
	for token, err := range allTokens(ctx, d.store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread++
			d.report.add(change{Outcome: outcomeUnreadable, Reason: err.Error()})
			continue
		case err != nil:
			return unread, err
		}
		if d.tokens[token.ID] != nil {
			continue
		}
		outcome := outcomeNotTried
		if d.report.DryRun {
			outcome = "would be deleted"
		}
		d.tokens[token.ID] = &counted{row: d.report.add(change{ID: token.ID, User: token.UserName, Outcome: outcome}), look: look(token)}
		d.meter.progressOf("reading the tokens", len(d.tokens))
	}
	return unread, nil
}

// look returns a digest of what a deletion compares.
func look(t tokenstore.OAuthToken) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d:%s%d:%s%d:%s", len(t.GrantToken), t.GrantToken, len(t.RefreshToken), t.RefreshToken, len(t.AccessToken), t.AccessToken))
}

// confirm has a person type how many tokens there are.
func (d *clearing) confirm(verb *cobra.Command, ask *consent) error {
	if ask.yes {
		return nil
	}
	number := fmt.Sprint(len(d.tokens))
	question := fmt.Sprintf("Delete all %s of %s? %s Type the number of tokens to go on: ", count(len(d.tokens), "token"), d.url, howBack(len(d.tokens)))
	answer, err := askLine(verb.Context(), verb.InOrStdin(), verb.ErrOrStderr(), question)
	switch {
	case err != nil:
		return err
	case answer != number:
		return errNotConfirmed
	}
	return nil
}

// clear deletes what was counted. It reads the tokens again, since a store may have more than
// fit into memory.
func (d *clearing) clear(ctx context.Context) error {
	var some []tokenstore.Noted
	flush := func() error {
		err := d.deleteSome(ctx, some)
		some = nil
		return err
	}
	for token, err := range allTokens(ctx, d.store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			continue // It was counted, or is left alone like what was saved since.
		case err != nil:
			return errors.Join(flush(), err)
		}
		counted := d.tokens[token.ID]
		if counted == nil {
			d.report.add(change{ID: token.ID, User: token.UserName, Outcome: outcomeLeft, Reason: "it was saved after the count"})
			continue
		}
		if counted.met {
			continue
		}
		counted.met = true
		if look(token) != counted.look {
			row := &d.report.Tokens[counted.row]
			row.Outcome, row.Reason = outcomeChanged, "after the count"
			continue
		}
		if some = append(some, tokenstore.Noted{OAuthToken: token}); len(some) == deleteTogether {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for _, counted := range d.tokens {
		if !counted.met {
			d.report.Tokens[counted.row].Outcome = outcomeMissing
		}
	}
	return nil
}

// deleteSome deletes some tokens, and says in their rows what became of them.
func (d *clearing) deleteSome(ctx context.Context, some []tokenstore.Noted) error {
	if len(some) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	how := deletion{deleted: "deleted"}
	faults := deleteUnchanged(ctx, d.store, some)
	after, cancel := afterwards(ctx)
	defer cancel()
	for i, err := range faults {
		row := &d.report.Tokens[d.tokens[some[i].ID].row]
		if row.Outcome, row.Reason = how.outcome(err); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			row.Outcome, row.Reason = deletedOrNot(after, d.store, some[i].ID, how.deleted)
		}
	}
	d.done += len(some)
	d.meter.progress(importer.Stage("deleting"), d.done, len(d.tokens))
	return ctx.Err()
}
