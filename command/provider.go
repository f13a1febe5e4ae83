// The verbs that speak to the provider: refresh and revoke.

package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
	"example.com/tokenstore/zoho"
	"github.com/spf13/cobra"
)

// dataCenter is a flag.
type dataCenter struct{ name string }

func (d *dataCenter) flags(verb *cobra.Command) {
	verb.Flags().StringVar(&d.name, "data-center", "", "the Zoho data centre of tokens without an API domain, such as `eu`")
}

// get returns the data centre, or none.
func (d *dataCenter) get() (zoho.DataCenter, error) {
	if d.name == "" {
		return "", nil
	}
	center, err := zoho.ByLocation(d.name)
	if err != nil {
		return "", &usageError{fmt.Errorf("unknown data centre; they are %v", zoho.DataCenters())}
	}
	return center, nil
}

// The outcomes of a refresh.
const (
	outcomeRefreshed    = "refreshed"
	outcomeWouldRefresh = "would be refreshed"
	outcomeRefused      = "refused by the provider"
)

func (c Command) refreshCommand() *cobra.Command {
	var center dataCenter
	var dryRun bool
	verb := &cobra.Command{
		Use:   "refresh STORE ID...",
		Short: "Redeem the refresh tokens of tokens, and store the new access tokens",
		Long: `Refresh redeems the refresh tokens of the tokens with these IDs at the provider, whether
their access tokens have expired or not, and stores the new access tokens. Programs that refresh
the same tokens through package tokensource are not disturbed: refresh takes turns with them.

A token without a refresh token is refreshed with its grant token. The exit code is 4 if the
provider refuses a refresh token: the user has to consent again. It is not asked again for a day,
unless another refresh token is stored.`,
		Example: `  {name} refresh {local} 17
  {name} refresh {service} 17 18 --data-center eu --json`,
		Args: someIDs,

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			where, err := center.get()
			if err != nil {
				return err
			}
			r := &refreshing{redeemer: c.Redeemer, report: changes{DryRun: dryRun}}
			if r.redeemer == nil {
				r.redeemer = zoho.Redeemer{HTTP: c.HTTP, DataCenter: where, Now: c.Now}
				r.check = func(t tokenstore.OAuthToken) error { return hasDataCenter(t, where) }
			}
			return withExisting(verb.Context(), args[0], dryRun, func(store tokenstore.OpenStore) error {
				r.store = store
				return r.run(verb, args)
			})
		},
	}
	verb.Flags().BoolVar(&dryRun, "dry-run", false, "report what would be done, and do nothing")
	center.flags(verb)
	return verb
}

// someIDs requires a store and an ID at least.
func someIDs(_ *cobra.Command, args []string) error {
	if len(args) < 2 {
		return &usageError{errors.New("want a STORE and at least one ID")}
	}
	return nil
}

// hasDataCenter returns an error if nothing says where a token was issued. It is found out
// before anything is written.
func hasDataCenter(t tokenstore.OAuthToken, otherwise zoho.DataCenter) error {
	if t.APIDomain == "" && otherwise != "" {
		return nil
	}
	if t.APIDomain == "" {
		return errors.New("the token has no api_domain, which says in which data centre it was issued; pass --data-center, or set api_domain")
	}
	_, err := zoho.ByAPIDomain(t.APIDomain)
	return err
}

// refreshing refreshes tokens.
type refreshing struct {
	store    tokenstore.Store
	redeemer tokensource.Redeemer
	check    func(tokenstore.OAuthToken) error // or nil
	source   *tokensource.Source
	report   changes
}

func (r *refreshing) run(verb *cobra.Command, args []string) (err error) {
	ctx := verb.Context()
	if r.source, err = tokensource.New(r.store, r.redeemer); err != nil {
		return err
	}
	for _, id := range args[1:] {
		r.report.add(change{ID: id, Outcome: outcomeNotTried})
	}
	there := false
	for i := range r.report.Tokens {
		if ctx.Err() != nil {
			break
		}
		row := &r.report.Tokens[i]
		r.one(ctx, row)
		there = there || row.Outcome != outcomeMissing
	}
	err = r.source.Close(context.WithoutCancel(ctx)) // It stores what was redeemed.
	if !there && err == nil && ctx.Err() == nil {
		if nothing := ifNothing(ctx, r.store, args[0]); nothing != nil {
			return nothing
		}
	}
	return r.report.finish(verb, errors.Join(err, ctx.Err()))
}

// one refreshes the token of a row, and says in the row what became of it.
func (r *refreshing) one(ctx context.Context, row *change) {
	token, err := r.store.FindTokenByID(ctx, row.ID)
	if err == nil {
		row.User = token.UserName
		if r.check != nil {
			err = r.check(token)
		}
	}
	if err == nil {
		if r.report.DryRun {
			row.Outcome = outcomeWouldRefresh
			return
		}
		token, err = r.source.Renew(ctx, token)
	}
	switch {
	case err == nil:
		row.Outcome = outcomeRefreshed
		if !token.Expiry.IsZero() {
			row.Reason = "expires " + token.Expiry.UTC().Format(time.RFC3339)
		}
		return
	case errors.Is(err, tokenstore.ErrNotFound):
		row.Outcome = outcomeMissing
		return
	case errors.Is(err, tokensource.ErrNeedsConsent):
		row.Outcome = outcomeRefused
	default:
		row.Outcome = outcomeFailed
	}
	row.Reason = err.Error()
}

func (c Command) revokeCommand() *cobra.Command {
	var center dataCenter
	var user string
	var ask consent
	verb := &cobra.Command{
		Use:   "revoke STORE [ID]...",
		Short: "Revoke tokens at the provider, and delete them",
		Long: `Revoke tells the provider that the tokens with these IDs, or all tokens of one user, are
worth nothing from now on, and deletes them. It shows them, and asks first; where standard input
is not a terminal, it wants --yes.

Each is revoked as it was shown, and then deleted. If it cannot be revoked, it stays stored;
running the command again finishes the job, since a token that the provider no longer knows
counts as revoked. A token that somebody has changed since, such as a user who logged in again,
stays and is reported as changed.

The exit code is 1 if a token could not be revoked or deleted, 4 if one was changed meanwhile,
and 3 if one was not there.`,
		Example: `  {name} revoke {local} 17
  {name} revoke {service} --user amelia@zylker.com:60001234567 --dry-run
  {name} revoke {service} --user amelia@zylker.com:60001234567 --yes --json`,
		Args: func(_ *cobra.Command, args []string) error { return idsOrUser(args, user) },

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			where, err := center.get()
			if err != nil {
				return err
			}
			d := &deletion{
				question: "Revoke and delete", deleted: "revoked and deleted", would: "would be revoked and deleted",
				revoke: c.Revoke,
			}
			if d.revoke == nil {
				d.revoke = zoho.Logout{DataCenter: where, HTTP: c.HTTP}.Revoke
				d.check = func(t tokenstore.OAuthToken) error {
					if t.RefreshToken == "" && t.AccessToken == "" {
						return nil // There is nothing to revoke.
					}
					return hasDataCenter(t, where)
				}
			}
			return d.start(verb, args, user, &ask)
		},
	}
	verb.Flags().StringVar(&user, "user", "", "revoke all tokens of the user with this `NAME`, normally mail:organisation")
	center.flags(verb)
	ask.flags(verb)
	return verb
}
