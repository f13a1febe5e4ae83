// The verb that shows one token, and one credential of it to a person who asks for it.

package command

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func getCommand() *cobra.Command {
	var reveal string
	verb := &cobra.Command{
		Use:   "get STORE ID",
		Short: "Show the token with an ID, without its credentials",
		Long: `Get shows the token with an ID, without its credentials. With --reveal, it shows one field
as it is stored, such as refresh_token: on a terminal only, and after it has asked. It is for
comparing a token with what a provider shows; programs read a store through the library. The
exit code is 3 if there is no such token, or it has no such field.`,
		Example: "  {name} get {local} 1\n  {name} get {service} 1 --json\n  {name} get {local} 1 --reveal refresh_token",
		Args:    exactArgs("STORE", "ID"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			f, err := revealed(verb, reveal)
			if err != nil {
				return err
			}
			return withStore(verb.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				token, err := store.FindTokenByID(verb.Context(), args[1])
				switch {
				case errors.Is(err, tokenstore.ErrNotFound):
					return orNothing(verb.Context(), store, args[0], err)
				case err != nil || reveal == "":
					return printOne(verb, token, err)
				}
				return revealField(verb, token, f)
			})
		},
	}
	verb.Flags().StringVar(&reveal, "reveal", "", "show this `FIELD` as it is stored, on a terminal")
	_ = verb.RegisterFlagCompletionFunc("reveal", completeField) // The flag exists.
	return verb
}

// revealed returns the field that is to be shown, if a person is there to see it.
func revealed(verb *cobra.Command, name string) (field, error) {
	if name == "" {
		return field{}, nil
	}
	_, typed := terminal(verb.InOrStdin())
	_, seen := terminal(verb.OutOrStdout())
	switch {
	case !typed || !seen:
		return field{}, &usageError{errors.New("--reveal shows a credential on a terminal only: standard input and standard output must be one")}
	case wantsJSON(verb):
		return field{}, &usageError{errors.New("--reveal shows a credential on a terminal only, and not as JSON")}
	}
	return fieldNamed(name, anyField)
}

func revealField(verb *cobra.Command, token tokenstore.OAuthToken, f field) error {
	value := f.get(token)
	if value == "" {
		return fmt.Errorf("%w: the token has no %s", tokenstore.ErrNotFound, f.name)
	}
	if err := (&consent{}).ask(verb, fmt.Sprintf("Show the %s of token %s on this screen?", f.name, token.ID)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(verb.OutOrStdout(), printable(value))
	return err
}
