// The verb that deletes tokens.

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func deleteCommand() *cobra.Command {
	var user string
	var ask consent
	verb := &cobra.Command{
		Use:   "delete STORE [ID]...",
		Short: "Delete tokens by their IDs, or those of one user",
		Long: `Delete deletes the tokens with these IDs, or all tokens of one user. It shows them, and asks
before it deletes anything; where standard input is not a terminal, it wants --yes.

A token that somebody has changed since it was shown is left alone, and reported as changed:
look at it, and run the command again. The report names every token with what became of it,
also after an interruption. Running the command again finishes the job; what is deleted by
then counts as not there.

The provider is not told: revoke ends a token there, too. The exit code is 1 if a token could
not be deleted, 4 if one was changed meanwhile, and 3 if one was not there.`,
		Example: `  {name} delete {local} 17 18 --dry-run
  {name} delete {local} 17 18
  {name} delete {service} --user amelia@zylker.com:60001234567 --yes --json`,
		Args: func(_ *cobra.Command, args []string) error { return idsOrUser(args, user) },

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			d := &deletion{question: "Delete", deleted: "deleted", would: "would be deleted"}
			return d.start(verb, args, user, &ask)
		},
	}
	verb.Flags().StringVar(&user, "user", "", "delete all tokens of the user with this `NAME`, normally mail:organisation")
	ask.flags(verb)
	return verb
}

// idsOrUser requires a store, and then either IDs or a user.
func idsOrUser(args []string, user string) error {
	switch {
	case len(args) == 0:
		return &usageError{errors.New("want a STORE, and then IDs or --user")}
	case len(args) == 1 && user == "":
		return &usageError{errors.New("name the tokens by their IDs, or give --user")}
	case len(args) > 1 && user != "":
		return &usageError{errors.New("give either IDs or --user")}
	}
	return nil
}

// deletion deletes the tokens that it has shown.
type deletion struct {
	question       string // without what is deleted
	deleted, would string // the outcomes
	// revoke, if not nil, revokes each token before it is deleted.
	revoke func(context.Context, tokenstore.OAuthToken) error
	// check, if not nil, says why a token could not be revoked, before anybody tries.
	check func(tokenstore.OAuthToken) error

	store   tokenstore.Store
	report  changes
	shown   []shownToken
	missing []string // IDs
}

func (d *deletion) start(verb *cobra.Command, args []string, user string, ask *consent) error {
	if err := ask.canAsk(verb); err != nil {
		return err
	}
	d.report.DryRun = ask.dryRun
	return withExisting(verb.Context(), args[0], ask.dryRun, func(store tokenstore.OpenStore) error {
		d.store = store
		return d.run(verb, args[0], args[1:], user, ask)
	})
}

// shownToken is a token as somebody has seen it before saying yes.
type shownToken struct {
	id, user string
	noted    tokenstore.Noted
	damaged  error // why it cannot be read, and so not be compared
	row      int   // in the report
}

func (d *deletion) run(verb *cobra.Command, url string, ids []string, user string, ask *consent) error {
	ctx := verb.Context()
	err := d.look(ctx, ids, user)
	if err == nil && len(d.shown) == 0 {
		if nothing := ifNothing(ctx, d.store, url); nothing != nil {
			return nothing
		}
	}
	if err == nil && !ask.dryRun {
		err = d.finish(ctx)
	}
	if err == nil && len(d.shown) > 0 && !ask.dryRun {
		if err := d.confirm(verb, ask); err != nil {
			return err
		}
		err = d.deleteAll(ctx, user)
	}
	return d.report.finish(verb, err)
}

// look reads the tokens, and makes a row of the report for each.
func (d *deletion) look(ctx context.Context, ids []string, user string) error {
	queries := []tokenstore.OAuthToken{{UserName: user}}
	if user == "" {
		queries = nil
		for _, id := range ids {
			queries = append(queries, tokenstore.OAuthToken{ID: id})
		}
	}
	seen := map[string]bool{}
	for _, query := range queries {
		if seen[query.ID] {
			continue
		}
		seen[query.ID] = true
		noted, err := lookNoted(ctx, d.store, query)
		token := shownToken{id: noted.ID, user: noted.UserName, noted: noted}
		switch {
		case err == nil:
		case errors.Is(err, tokenstore.ErrNotFound):
			d.report.add(change{ID: query.ID, User: user, Outcome: outcomeMissing})
			if query.ID != "" {
				d.missing = append(d.missing, query.ID)
			}
			continue
		case errors.Is(err, tokenstore.ErrUnreadable) && query.ID != "":
			token.id, token.damaged = query.ID, err
		default:
			return err
		}
		d.show(token)
	}
	return nil
}

func (d *deletion) show(token shownToken) {
	token.row = d.report.add(change{ID: token.id, User: token.user, Outcome: outcomeNotTried})
	row := &d.report.Tokens[token.row]
	if d.report.DryRun {
		row.Outcome = d.would
	}
	if token.damaged != nil {
		row.Reason = token.damaged.Error()
	}
	if d.report.DryRun && d.revoke != nil {
		if reason := d.unrevokable(token); reason != "" {
			row.Outcome, row.Reason = outcomeFailed, reason
		}
	}
	d.shown = append(d.shown, token)
}

// confirm shows the tokens and asks.
func (d *deletion) confirm(verb *cobra.Command, ask *consent) error {
	if ask.yes {
		return nil
	}
	p := newTokenPrinter(verb.ErrOrStderr(), false)
	for _, token := range d.shown {
		shown := token.noted.OAuthToken
		shown.ID = token.id
		if err := p.add(shown); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	consequence := howBack(len(d.shown))
	if d.revoke != nil {
		consequence = "This cannot be undone."
	}
	return ask.ask(verb, fmt.Sprintf("%s %s? %s", d.question, count(len(d.shown), "token"), consequence))
}

// howBack says what brings n deleted tokens back. Whether the service keeps them, a store does
// not know beforehand.
func howBack(n int) string {
	if n == 1 {
		return "Only a backup brings it back, or undelete where the service keeps it."
	}
	return "Only a backup brings them back, or undelete where the service keeps them."
}

// deleteAll deletes what was shown, and what other tokens of the user there are.
func (d *deletion) deleteAll(ctx context.Context, user string) error {
	for i := 0; i < len(d.shown); i++ {
		token := d.shown[i]
		row := &d.report.Tokens[token.row]
		row.Outcome, row.Reason = d.deleteOne(ctx, token)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if user == "" || row.Outcome != d.deleted {
			continue
		}
		// A table may hold several tokens of one user, and a find returns one.
		switch next, err := lookNoted(ctx, d.store, tokenstore.OAuthToken{UserName: user}); {
		case errors.Is(err, tokenstore.ErrNotFound):
		case err != nil:
			return err
		case next.ID != token.id: // Whatever has the same ID is a login after the deletion.
			d.show(shownToken{id: next.ID, user: next.UserName, noted: next})
		}
	}
	return nil
}

// finish finishes deletions that were not finished because the service kept older versions:
// the tokens are not there, and their deletion said to repeat it.
func (d *deletion) finish(ctx context.Context) error {
	remover, ok := tokenstore.As[tokenstore.Remover](d.store)
	if !ok || len(d.missing) == 0 {
		return nil
	}
	gone := make([]tokenstore.OAuthToken, len(d.missing))
	for i, id := range d.missing {
		gone[i].ID = id
	}
	for _, err := range remover.DeleteUnchanged(ctx, gone) {
		// A token that was saved since is another one.
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) && !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
	}
	return nil
}

// unrevokable says why a token cannot be revoked, if that is known beforehand.
func (d *deletion) unrevokable(token shownToken) string {
	if token.damaged != nil {
		return "it cannot be read, and so not be revoked; delete it, and revoke it at the provider"
	}
	if d.check == nil {
		return ""
	}
	if err := d.check(token.noted.OAuthToken); err != nil {
		return "not revoked, and still stored: " + err.Error()
	}
	return ""
}

// deleteOne deletes a token if it is still what was shown, and returns what became of it.
func (d *deletion) deleteOne(ctx context.Context, token shownToken) (outcome, reason string) {
	if d.revoke != nil {
		if reason := d.unrevokable(token); reason != "" {
			return outcomeFailed, reason
		}
		switch err := d.revoke(ctx, token.noted.OAuthToken); {
		case err != nil && ctx.Err() != nil:
			return outcomeFailed, "interrupted, and whether it was revoked is not known; it is still stored: run the command again"
		case err != nil:
			return outcomeFailed, "not revoked, and still stored: " + err.Error()
		}
	}
	var err error
	if token.damaged != nil {
		err = d.store.DeleteToken(ctx, token.id)
	} else {
		err = deleteUnchanged(ctx, d.store, []tokenstore.Noted{token.noted})[0]
	}
	outcome, reason = d.outcome(err)
	if outcome == outcomeFailed && ctx.Err() != nil {
		after, cancel := afterwards(ctx)
		defer cancel()
		outcome, reason = deletedOrNot(after, d.store, token.id, d.deleted)
	}
	if d.revoke != nil && (outcome == outcomeFailed || outcome == outcomeNotTried) {
		outcome, reason = outcomeFailed, "revoked; "+cmp.Or(reason, "still stored: run the command again")
	}
	return outcome, reason
}

// outcome returns the outcome of a deletion.
func (d *deletion) outcome(err error) (outcome, reason string) {
	switch {
	case err == nil:
		return d.deleted, ""
	case errors.Is(err, tokenstore.ErrNotFound):
		return outcomeMissing, ""
	case errors.Is(err, tokenstore.ErrConflict):
		return outcomeChanged, "look at it, and run the command again"
	}
	return outcomeFailed, err.Error()
}

// deleteUnchanged deletes tokens that are still what was read, and returns the error of each.
// A store that cannot do that compares each token, and then deletes it.
func deleteUnchanged(ctx context.Context, store tokenstore.Store, seen []tokenstore.Noted) []error {
	if remover, ok := tokenstore.As[tokenstore.Remover](store); ok {
		tokens := make([]tokenstore.OAuthToken, len(seen))
		for i, token := range seen {
			tokens[i] = token.OAuthToken
		}
		return remover.DeleteUnchanged(ctx, tokens)
	}
	faults := make([]error, len(seen))
	for i, token := range seen {
		same, err := unchanged(ctx, store, token)
		switch {
		case err != nil:
		case !same:
			err = tokenstore.ErrConflict
		default:
			err = store.DeleteToken(ctx, token.ID)
		}
		faults[i] = err
	}
	return faults
}

// lookNoted reads a token, with its note if the store keeps notes. A query with an ID finds
// by ID only.
func lookNoted(ctx context.Context, store tokenstore.Store, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	if swapper, ok := tokenstore.As[tokenstore.Swapper](store); ok {
		return swapper.FindNoted(ctx, query)
	}
	if query.ID != "" {
		token, err := store.FindTokenByID(ctx, query.ID)
		return tokenstore.Noted{OAuthToken: token}, err
	}
	token, err := store.FindToken(ctx, query)
	return tokenstore.Noted{OAuthToken: token}, err
}

// unchanged reports whether a token is still what was read. Where the store can swap, it is
// a swap that changes nothing, which never compares with a stale read; elsewhere it is
// another read.
func unchanged(ctx context.Context, store tokenstore.Store, old tokenstore.Noted) (bool, error) {
	if swapper, ok := tokenstore.As[tokenstore.Swapper](store); ok {
		_, same, err := swapper.SwapToken(ctx, old, tokenstore.OAuthToken{}, old.Note)
		return same, err
	}
	now, err := store.FindTokenByID(ctx, old.ID)
	return now == old.OAuthToken, err
}

// count returns a number of things: "1 token", "2 tokens".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprint(n, " ", strings.TrimSuffix(thing, "s"), "s")
}
