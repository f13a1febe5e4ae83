// The verb that finds tokens by what somebody knows of them.

package command

import (
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func findCommand() *cobra.Command {
	var user, mail string
	var refresh, access, grant bool
	command := &cobra.Command{
		Use:   "find STORE",
		Short: "Find a token by its user, or by a credential from standard input",
		Long: `Find shows the token that the SDKs would find by one key, without its
credentials. A refresh, access or grant token is read from standard input and never
from an argument, where others could see it; at a terminal it is not echoed.

With --mail, find lists the tokens of all users with that mail, whatever their organisation:
a user is normally stored as mail:organisation, or under the mail alone. It reads all tokens,
and does not tell capital letters from small ones. The exit code is 0 if there is one, 4 if
there are several, or if a token cannot be read, and 3 if there is none; with --json, it is a
list in each case.`,
		Example: `  {name} find {local} --user amelia@zylker.com:60001234567
  {name} find {local} --mail amelia@zylker.com
  {name} find {local} --refresh-token-stdin < refresh-token.txt`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			if mail != "" && user == "" && !refresh && !access && !grant {
				return findMail(command, args[0], mail)
			}
			query, err := findQuery(command, user, mail, refresh, access, grant)
			if err != nil {
				return err
			}
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				token, err := store.FindToken(command.Context(), query)
				if errors.Is(err, tokenstore.ErrNotFound) {
					err = orNothing(command.Context(), store, args[0], orHint(err, user))
				}
				return printOne(command, token, err)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&user, "user", "", "the `NAME` of the user, normally mail:organisation")
	flags.StringVar(&mail, "mail", "", "list the tokens of users with this `MAIL`, of any organisation")
	flags.BoolVar(&refresh, "refresh-token-stdin", false, "read a refresh token from standard input")
	flags.BoolVar(&access, "access-token-stdin", false, "read an access token from standard input")
	flags.BoolVar(&grant, "grant-token-stdin", false, "read a grant token from standard input")
	return command
}

// findQuery returns the query for the one key that the flags name.
func findQuery(command *cobra.Command, user, mail string, refresh, access, grant bool) (tokenstore.OAuthToken, error) {
	keys := 0
	for _, set := range []bool{user != "", mail != "", refresh, access, grant} {
		if set {
			keys++
		}
	}
	if keys != 1 {
		return tokenstore.OAuthToken{}, &usageError{errors.New("give exactly one of --user, --mail, --refresh-token-stdin, --access-token-stdin and --grant-token-stdin")}
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

// orHint returns err, with a hint if the user of a find looks like a pattern or a mail alone.
func orHint(err error, user string) error {
	if strings.ContainsAny(user, "*?") {
		return fmt.Errorf("%w: no user has exactly this name; find takes no pattern, list --user does", err)
	}
	if strings.Contains(user, "@") && !strings.Contains(user, ":") {
		return fmt.Errorf("%w: no user has exactly this name; a user is normally mail:organisation, and --mail lists those of a mail", err)
	}
	return err
}

// hasMail reports whether a user is that of a mail: mail:organisation, or the mail alone.
func hasMail(user, mail string) bool {
	of, _, _ := strings.Cut(user, ":")
	return strings.EqualFold(of, mail)
}

// findMail lists the tokens of users with a mail.
func findMail(verb *cobra.Command, url, mail string) error {
	if strings.Contains(mail, ":") {
		return &usageError{errors.New("--mail takes a mail without an organisation; --user takes mail:organisation")}
	}
	ctx := verb.Context()
	return withStore(ctx, readOnly(url), func(store tokenstore.OpenStore) error {
		seen := 0
		want := func(t tokenstore.OAuthToken) bool { return hasMail(t.UserName, mail) }
		n, err := printAll(verb, selected(allTokens(ctx, store, false), want, &seen), &seen)
		switch {
		case err != nil:
			return err
		case n == 1:
			return nil
		case n > 1:
			return &incompleteError{}
		case seen == 0:
			return orNothing(ctx, store, url, tokenstore.ErrNotFound)
		}
		return tokenstore.ErrNotFound
	})
}
