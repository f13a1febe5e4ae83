// The verb that lists tokens, and what the other verbs that show some have in common.

package command

import (
	"context"
	"errors"
	"iter"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func (c Command) listCommand() *cobra.Command {
	var oldestFirst bool
	var f filter
	command := &cobra.Command{
		Use:   "list STORE",
		Short: "List tokens, without their credentials",
		Long: `List shows all tokens as it reads them, or those that all of the flags select, without
their credentials. Those of a file or a SQLite database come oldest first, those of MySQL in the
order of its primary key, those of a secret manager in the order of its index. With
--oldest-first, list holds the tokens in memory to sort them.

A token whose expiry is unknown is neither expired nor about to expire. Tokens that cannot be
read are named on standard error, after the others, and the exit code is then 4.`,
		Example: `  {name} list {local}
  {name} list {service} --json
  {name} list {service} --user '*@zylker.com:*' --expires-before 1h
  {name} list {service} --client 1000.CLIENT --expired`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			want, err := f.compile(c.Now())
			if err != nil {
				return err
			}
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				seen := 0
				_, err := printAll(command, selected(allTokens(command.Context(), store, oldestFirst), want, &seen), &seen)
				if seen == 0 && err == nil {
					return orNothing(command.Context(), store, args[0], nil)
				}
				return err
			})
		},
	}
	command.Flags().BoolVar(&oldestFirst, "oldest-first", false, "sort the tokens by age")
	f.flags(command)
	return command
}

// allTokens yields the tokens of a store, one by one if it can; sorted, it holds them all.
func allTokens(ctx context.Context, store tokenstore.Store, sorted bool) iter.Seq2[tokenstore.OAuthToken, error] {
	if streamer, ok := tokenstore.As[tokenstore.Streamer](store); ok && !sorted {
		return streamer.Tokens(ctx)
	}
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		tokens, err := store.GetTokens(ctx)
		for _, t := range tokens {
			if !yield(t, nil) {
				return
			}
		}
		if err != nil {
			yield(tokenstore.OAuthToken{}, err)
		}
	}
}

// printAll prints tokens, and returns how many there were, and the errors. Seen counts
// the tokens that could be read, which are more if the tokens are a selection.
func printAll(command *cobra.Command, tokens iter.Seq2[tokenstore.OAuthToken, error], seen *int) (n int, err error) {
	asJSON, _ := command.Flags().GetBool("json")
	p := newTokenPrinter(command.OutOrStdout(), asJSON)
	var unread, faults []error
	for token, err := range tokens {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread = append(unread, err)
			continue
		case err != nil:
			faults = append(faults, err)
			continue
		}
		if n++; p.add(token) != nil {
			break // The end reports it.
		}
	}
	if *seen == 0 && len(unread)+len(faults) > 0 {
		return 0, errors.Join(append(unread, faults...)...)
	}
	if err := p.end(); err != nil {
		faults = append(faults, err)
	}
	if len(unread) > 0 && len(faults) == 0 {
		return n, &partialError{errors.Join(unread...)}
	}
	return n, errors.Join(append(unread, faults...)...)
}

func printOne(command *cobra.Command, token tokenstore.OAuthToken, err error) error {
	if err != nil {
		return err
	}
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		return printJSON(command.OutOrStdout(), token)
	}
	p := newTokenPrinter(command.OutOrStdout(), false)
	return errors.Join(p.add(token), p.end())
}
