// The commands that show tokens: list, find and get.

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
their credentials. Those of a file or a database come oldest first, those of a secret manager
in the order of its index. With --oldest-first, list holds the tokens in memory to sort them.

A token whose expiry is unknown is neither expired nor about to expire.`,
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
				n, err := printAll(command, selected(allTokens(command.Context(), store, oldestFirst), want, &seen))
				if n == 0 && seen == 0 && err == nil {
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

// printAll prints tokens, and returns how many there were, and the errors.
func printAll(command *cobra.Command, tokens iter.Seq2[tokenstore.OAuthToken, error]) (n int, err error) {
	asJSON, _ := command.Flags().GetBool("json")
	p := newTokenPrinter(command.OutOrStdout(), asJSON)
	var faults []error
	for token, err := range tokens {
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if n++; p.add(token) != nil {
			break // The end reports it.
		}
	}
	if n == 0 && len(faults) > 0 {
		return 0, errors.Join(faults...)
	}
	return n, errors.Join(append(faults, p.end())...)
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

func findCommand() *cobra.Command {
	var user string
	var refresh, access, grant bool
	command := &cobra.Command{
		Use:   "find STORE",
		Short: "Find a token by its user, or by a credential from standard input",
		Long: `Find shows the token that the SDKs would find by one key, without its
credentials. A refresh, access or grant token is read from standard input and never
from an argument, where others could see it; at a terminal it is not echoed.`,
		Example: `  {name} find {local} --user amelia@zylker.com:60001234567
  {name} find {local} --refresh-token-stdin < refresh-token.txt`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			query, err := findQuery(command, user, refresh, access, grant)
			if err != nil {
				return err
			}
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				token, err := store.FindToken(command.Context(), query)
				if errors.Is(err, tokenstore.ErrNotFound) {
					err = orNothing(command.Context(), store, args[0], err)
				}
				return printOne(command, token, err)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&user, "user", "", "the `NAME` of the user, normally mail:organisation")
	flags.BoolVar(&refresh, "refresh-token-stdin", false, "read a refresh token from standard input")
	flags.BoolVar(&access, "access-token-stdin", false, "read an access token from standard input")
	flags.BoolVar(&grant, "grant-token-stdin", false, "read a grant token from standard input")
	return command
}

// findQuery returns the query for the one key that the flags name.
func findQuery(command *cobra.Command, user string, refresh, access, grant bool) (tokenstore.OAuthToken, error) {
	keys := 0
	for _, set := range []bool{user != "", refresh, access, grant} {
		if set {
			keys++
		}
	}
	if keys != 1 {
		return tokenstore.OAuthToken{}, &usageError{errors.New("give exactly one of --user, --refresh-token-stdin, --access-token-stdin and --grant-token-stdin")}
	}
	if user != "" {
		return tokenstore.OAuthToken{UserName: user}, nil
	}
	credential, err := readCredential(command.Context(), "token", command.InOrStdin(), command.ErrOrStderr())
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	kind := tokenstore.RefreshKey
	switch {
	case access:
		kind = tokenstore.AccessKey
	case grant:
		kind = tokenstore.GrantKey
	}
	return tokenstore.QueryFor(tokenstore.Key{Kind: kind, Value: credential}), nil
}
