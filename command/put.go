// The verb that stores one token, which it reads from standard input.

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"github.com/spf13/cobra"
)

func putCommand() *cobra.Command {
	var p putting
	var create bool
	verb := &cobra.Command{
		Use:   "put STORE",
		Short: "Store one token, read as JSON from standard input",
		Long: `Put stores the token that standard input has in its stored form: one JSON object with some
of the fields id, user_name, client_id, client_secret, refresh_token, access_token,
grant_token, expiry_time (epoch milliseconds), redirect_url and api_domain. A token is never
an argument, and not typed at a terminal.

Put stores a new token, and changes none that is there:

  stored         the store had no such token, and has it now
  already there  the store has it, with these values
  left alone     the ID, the user or, of a token without a user, the refresh or grant
                 token is that of a stored token; the remark says of which, and what helps
  updated        with --update: the fields that are given are replaced, the others stay
  changed meanwhile  with --update: somebody else changed one of these fields, or stored
                 the token, at the same time; look at it, and run the command again

With --update, the stored token is replaced only if it is still the one that put has read. A
token that cannot be read is made whole with what is given. The user of a token cannot be
changed, except that a token without a user becomes that of a user.

Where nothing of a store is at that place, put stores nothing, unless --create is given. The
exit code is 4 if the token was left alone or changed meanwhile.`,
		Example: `  {name} put {local} < token.json
  {name} put {local} --update < token.json
  {name} put {service} --dry-run --json < token.json`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			token, err := readToken(verb)
			if err != nil {
				return err
			}
			p.token = token
			do := func(store tokenstore.OpenStore) error {
				p.store = store
				return p.run(verb, args[0], create)
			}
			if create {
				return p.creating(verb.Context(), args[0], do)
			}
			err = withExisting(verb.Context(), args[0], p.report.DryRun, do)
			if exitCode(err) == exitNotFound {
				return fmt.Errorf("%w; or pass --create, to make the store there", err)
			}
			return err
		},
	}
	flags := verb.Flags()
	flags.BoolVar(&p.update, "update", false, "replace the given fields of the token if the store has it")
	flags.BoolVar(&create, "create", false, "create the store if nothing of one is there")
	flags.BoolVar(&p.report.DryRun, "dry-run", false, "report what would be done, and do nothing")
	return verb
}

// The outcomes of a put.
const (
	outcomeStored      = "stored"
	outcomeWouldStore  = "would be stored"
	outcomeUpdated     = "updated"
	outcomeWouldUpdate = "would be updated"
	outcomeThere       = "already there"
	outcomeLeft        = "left alone"
)

// putting stores one token.
type putting struct {
	update bool

	store  tokenstore.Store
	token  tokenstore.OAuthToken
	report changes
}

// creating opens a store that is created if it is not there, and if it takes the token.
func (p *putting) creating(ctx context.Context, url string, do func(tokenstore.OpenStore) error) error {
	err := withExisting(ctx, url, p.report.DryRun, do)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := tokenstore.CheckInsert(p.token); err != nil {
		return &usageError{err}
	}
	if p.report.DryRun {
		return do(secretstore.NewMemory())
	}
	err = withStore(ctx, url, do)
	var absent *absentError
	if errors.As(err, &absent) {
		return absent.err // The folder is missing, in which the file would be made.
	}
	return err
}

func (p *putting) run(verb *cobra.Command, url string, create bool) error {
	if !create {
		if err := ifNothing(verb.Context(), p.store, url); err != nil {
			return err
		}
	}
	row := change{ID: p.token.ID, User: p.token.UserName, Outcome: outcomeFailed}
	err := p.put(verb.Context(), &row)
	switch {
	case verb.Context().Err() != nil:
		err = verb.Context().Err()
		row.Reason = "interrupted; run the command again: it says whether the token is there"
	case errors.Is(err, tokenstore.ErrInvalidToken), errors.Is(err, tokenstore.ErrInvalidArgument):
		return &usageError{err}
	case err != nil:
		row.Reason, err = err.Error(), nil
	}
	p.report.add(row)
	return p.report.finish(verb, err)
}

// put stores the token, and says in the row what became of it.
func (p *putting) put(ctx context.Context, row *change) error {
	there, err := p.look(ctx)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return p.insert(ctx, row)
	case errors.Is(err, tokenstore.ErrUnreadable) && p.token.ID != "":
		return p.mend(ctx, row, err)
	case err != nil:
		return err
	}
	row.ID, row.User = there.ID, there.UserName
	adopts := there.UserName == "" && p.token.UserName != ""
	switch want := tokenstore.Update(there.OAuthToken, p.token); {
	case p.token.UserName != "" && there.UserName != "" && there.UserName != p.token.UserName:
		row.Outcome, row.Reason = outcomeLeft, "the ID is that of a token of another user; leave the ID out, or give another"
	case p.token.ID != "" && p.token.ID != there.ID:
		row.Outcome, row.Reason = outcomeLeft, "the store has the token under this ID; give this one, or none"
	case want == there.OAuthToken:
		row.Outcome = outcomeThere
	case !p.update && adopts:
		row.Outcome, row.Reason = outcomeLeft, "the store has the token without a user; --update makes it this user's"
	case !p.update:
		row.Outcome, row.Reason = outcomeLeft, "the store has it with other values ("+strings.Join(differing(there.OAuthToken, want), ", ")+"); --update replaces them"
	case p.report.DryRun:
		row.Outcome = outcomeWouldUpdate
	case adopts:
		return p.save(ctx, row, outcomeUpdated, want) // A swap does not set a user.
	default:
		row.Outcome, err = replaceFields(ctx, p.store, there, p.token)
	}
	return err
}

// look returns the stored token that a save of this one would change.
func (p *putting) look(ctx context.Context) (tokenstore.Noted, error) {
	queries := []tokenstore.OAuthToken{}
	if p.token.ID != "" {
		queries = append(queries, tokenstore.OAuthToken{ID: p.token.ID})
	}
	anyone := p.token
	anyone.ID = ""
	for _, key := range append(tokenstore.FindKeys(anyone), tokenstore.AdoptionKeys(anyone)...) {
		queries = append(queries, tokenstore.QueryFor(key))
	}
	for _, query := range queries {
		there, err := lookNoted(ctx, p.store, query)
		if errors.Is(err, tokenstore.ErrNotFound) {
			continue
		}
		adopting := p.token.UserName != "" && query.UserName == "" && query.ID == ""
		if err == nil && adopting && there.UserName != "" {
			continue // Another user's token is not adopted.
		}
		return there, err
	}
	return tokenstore.Noted{}, tokenstore.ErrNotFound
}

// insert stores a token that is not there.
func (p *putting) insert(ctx context.Context, row *change) error {
	if err := tokenstore.CheckInsert(p.token); err != nil {
		return err
	}
	if (p.token.RefreshToken != "" || p.token.GrantToken != "") && (p.token.ClientID == "" || p.token.ClientSecret == "") {
		row.Reason = "without client_id and client_secret it cannot be refreshed"
	}
	if p.report.DryRun {
		row.Outcome = outcomeWouldStore
		return nil
	}
	return p.save(ctx, row, outcomeStored, p.token.Normal())
}

// mend makes a token whole that cannot be read.
func (p *putting) mend(ctx context.Context, row *change, damage error) error {
	switch {
	case !p.update:
		row.Outcome, row.Reason = outcomeLeft, "the store has it, damaged; --update makes it whole: "+damage.Error()
		return nil
	case p.report.DryRun:
		row.Outcome = outcomeWouldUpdate
		return nil
	}
	stored, err := p.store.SaveToken(ctx, p.token)
	if err != nil {
		return err
	}
	row.ID, row.User, row.Outcome = stored.ID, stored.UserName, outcomeUpdated
	return nil
}

// save saves the token, of which want is expected.
func (p *putting) save(ctx context.Context, row *change, outcome string, want tokenstore.OAuthToken) error {
	stored, err := p.store.SaveToken(ctx, p.token)
	if err != nil {
		return err
	}
	row.ID, row.User, row.Outcome = stored.ID, stored.UserName, outcome
	if want.ID == "" {
		want.ID = stored.ID
	}
	if stored != want {
		row.Outcome, row.Reason = outcomeChanged, "somebody else stored it at the same time; it has these fields, and theirs beside them: "+strings.Join(differing(want, stored), ", ")
	}
	return nil
}

// replaceFields sets the fields of next in a token if nobody else has set one of them since
// it was read, and returns the outcome.
func replaceFields(ctx context.Context, store tokenstore.Store, old tokenstore.Noted, next tokenstore.OAuthToken) (outcome string, err error) {
	swapper, ok := tokenstore.As[tokenstore.Swapper](store)
	if !ok {
		if same, err := unchanged(ctx, store, old); err != nil || !same {
			return outcomeChanged, err
		}
		next.ID = old.ID
		_, err := store.SaveToken(ctx, next)
		return outcomeUpdated, err
	}
	for range fewAttempts {
		now, swapped, err := swapper.SwapToken(ctx, old, next, old.Note)
		switch {
		case err != nil:
			return outcomeFailed, err
		case swapped:
			return outcomeUpdated, nil
		}
		for _, f := range fields {
			given := f.get(next) != "" || f.name == "access_token" && !next.Expiry.IsZero() // An expiry belongs to it.
			if given && f.get(now.OAuthToken) != f.get(old.OAuthToken) {
				return outcomeChanged, nil
			}
		}
		old = now // Another field: a program has refreshed the token.
	}
	return outcomeFailed, tokenstore.ErrConflict
}

// differing returns the names of the fields in which two tokens differ.
func differing(a, b tokenstore.OAuthToken) (names []string) {
	for _, f := range fields {
		if f.get(a) != f.get(b) {
			names = append(names, f.name)
		}
	}
	return names
}
