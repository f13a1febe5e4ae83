// The verb that brings deleted tokens back, where the service keeps them.

package command

import (
	"context"
	"errors"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func undeleteCommand() *cobra.Command {
	var dryRun bool
	verb := &cobra.Command{
		Use:   "undelete STORE ID...",
		Short: "Bring deleted tokens back, where the service keeps them",
		Long: `Undelete stores the tokens with these IDs again as they were when they were deleted. Every key
finds them at once. It works on AWS during the recovery window (recovery_days in the URL), and on
Google Cloud while a version-destroy-ttl of the token's secret keeps it; what other stores and
services say is in the remark: a backup helps there, or put.

Nothing that is stored is changed: if the user of the token has logged in again meanwhile, it
stays deleted, and can be undeleted once the newer token is deleted. The provider is not asked:
a token that was revoked there stays so. The report names every token with what became of it,
also after an interruption; running the command again finishes the job.

The exit code is 1 if a token could not be brought back because of a fault, 4 if one was left
alone, and 3 if nothing is kept of one.`,
		// Which store keeps what is deleted, no registration says.
		Example: `  {name} undelete STORE 17
  {name} undelete STORE 17 18 --json`,
		Args: someIDs,

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			u := &undeleting{report: changes{DryRun: dryRun}}
			return withExisting(verb.Context(), args[0], dryRun, func(store tokenstore.OpenStore) error {
				if err := ifNothing(verb.Context(), store, args[0]); err != nil {
					return err
				}
				u.store = store
				return u.report.finish(verb, u.run(verb.Context(), args[1:]))
			})
		},
	}
	verb.Flags().BoolVar(&dryRun, "dry-run", false, "report what would be tried, and do nothing; what the service keeps is not known without trying")
	return verb
}

// The outcomes of an undeletion.
const (
	outcomeUndeleted = "undeleted"
	outcomeWouldTry  = "would be tried"
	outcomeNotKept   = "not kept"
)

// nothingKept is what a store of rows says.
const nothingKept = "this store keeps nothing of a deleted token; restore it from a backup, or put it"

// undeleting brings tokens back.
type undeleting struct {
	store  tokenstore.Store
	report changes
}

func (u *undeleting) run(ctx context.Context, ids []string) error {
	for _, id := range ids {
		u.report.add(change{ID: id, Outcome: outcomeNotTried})
	}
	undeleter, ok := tokenstore.As[tokenstore.Undeleter](u.store)
	for i := range u.report.Tokens {
		row := &u.report.Tokens[i]
		there, err := u.store.FindTokenByID(ctx, row.ID)
		switch {
		case err == nil:
			row.User, row.Outcome, row.Reason = there.UserName, outcomeThere, "it is not deleted"
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, tokenstore.ErrNotFound):
			row.Outcome, row.Reason = outcomeFailed, err.Error()
		case !ok:
			row.Outcome, row.Reason = outcomeNotKept, nothingKept
		case u.report.DryRun:
			row.Outcome = outcomeWouldTry
		default:
			back, err := undeleter.UndeleteToken(ctx, row.ID)
			row.User = back.UserName
			if row.Outcome, row.Reason = undeleted(err); ctx.Err() != nil && err != nil {
				row.Reason = "interrupted; run the command again: it says whether the token is there"
				return ctx.Err()
			}
		}
	}
	return nil
}

// undeleted returns the outcome of an undeletion.
func undeleted(err error) (outcome, reason string) {
	switch {
	case err == nil:
		return outcomeUndeleted, ""
	case errors.Is(err, tokenstore.ErrNotFound):
		return outcomeNotKept, err.Error()
	case errors.Is(err, tokenstore.ErrConflict):
		return outcomeLeft, err.Error()
	}
	return outcomeFailed, err.Error()
}
