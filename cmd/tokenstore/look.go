// The commands that show tokens: list, find and get.

package main

import (
	"errors"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list STORE",
		Short:   "List all tokens, oldest first, without their credentials",
		Example: "  tokenstore list sqlite:tokens.db\n  tokenstore list vault://secret/crm --json",
		Args:    exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				tokens, err := store.GetTokens(command.Context())
				if tokens == nil && err != nil {
					return err
				}
				if len(tokens) == 0 && err == nil {
					err = orNothing(command.Context(), store, args[0], nil)
				}
				return errors.Join(printAll(command, tokens), err)
			})
		},
	}
}

func printAll(command *cobra.Command, tokens []tokenstore.OAuthToken) error {
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		return printJSON(command.OutOrStdout(), append([]tokenstore.OAuthToken{}, tokens...))
	}
	return printTokens(command.OutOrStdout(), tokens)
}

func printOne(command *cobra.Command, token tokenstore.OAuthToken, err error) error {
	if err != nil {
		return err
	}
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		return printJSON(command.OutOrStdout(), token)
	}
	return printTokens(command.OutOrStdout(), []tokenstore.OAuthToken{token})
}

func getCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get STORE ID",
		Short:   "Show the token with an ID, without its credentials",
		Example: "  tokenstore get sqlite:tokens.db 1",
		Args:    exactArgs("STORE", "ID"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				token, err := store.FindTokenByID(command.Context(), args[1])
				if errors.Is(err, tokenstore.ErrNotFound) {
					err = orNothing(command.Context(), store, args[0], err)
				}
				return printOne(command, token, err)
			})
		},
	}
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
		Example: `  tokenstore find sqlite:tokens.db --user amelia@zylker.com:60001234567
  tokenstore find sqlite:tokens.db --refresh-token-stdin < refresh-token.txt`,
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
	credential, err := readCredential(command.Context(), command.InOrStdin(), command.ErrOrStderr())
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
