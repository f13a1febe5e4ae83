// The verb that prints the rights that a role needs on a store.

package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func policyCommand() *cobra.Command {
	var role, account string
	verb := &cobra.Command{
		Use:   "policy STORE --role reader|writer|operator",
		Short: "Print the rights that a role needs on a store",
		Long: `Policy prints the rights that a role needs on this store, and no others, in the form that
its service takes: a policy of IAM or Vault, the commands that create and grant a role, GRANT
statements, or the modes of a file. It calls no service, and needs no credentials.

A reader finds and lists tokens. A writer also saves, refreshes and deletes them: the role of
an application. An operator also checks and repairs the store.

What the policy cannot limit, and what is left to do, are remarks on standard error. The exit
code is 2 if there are no rights that could be granted on such a store.`,
		Example: `  {name} policy {service} --role reader
  {name} policy {service} --role writer --json
  {name} policy {local} --role operator`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			if role == "" {
				return &usageError{errors.New("--role is missing; it is one of " + strings.Join(roles(), ", "))}
			}
			if err := checkScheme(args[0]); err != nil {
				return err
			}
			p, err := tokenstore.PolicyFor(verb.Context(), args[0], tokenstore.PolicyRequest{Role: tokenstore.Role(role), Account: account})
			if err != nil {
				return err
			}
			return printPolicy(verb, role, p)
		},
	}
	verb.Flags().StringVar(&role, "role", "", "the `ROLE`: "+strings.Join(roles(), ", "))
	verb.Flags().StringVar(&account, "account", "", "the `ACCOUNT` that the policy names, if the URL does not: the number of an AWS account or a GCP project, a user of a database, a group or user of the system")
	_ = verb.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)) // The flag exists.
	return verb
}

// roles returns the names of the roles.
func roles() (names []string) {
	for _, r := range tokenstore.Roles() {
		names = append(names, string(r))
	}
	return names
}

func printPolicy(verb *cobra.Command, role string, p tokenstore.Policy) error {
	if wantsJSON(verb) {
		return printJSON(verb.OutOrStdout(), struct {
			Role    string   `json:"role"`
			Policy  string   `json:"policy"`
			Remarks []string `json:"remarks"`
		}{role, p.Text, append([]string{}, p.Remarks...)})
	}
	if _, err := io.WriteString(verb.OutOrStdout(), p.Text); err != nil {
		return err
	}
	for _, remark := range p.Remarks {
		_, _ = fmt.Fprintf(verb.ErrOrStderr(), "note: %s\n", printable(remark))
	}
	return nil
}
