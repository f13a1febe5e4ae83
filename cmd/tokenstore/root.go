package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// rootCommand returns the command with all its verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tokenstore",
		Short: "Move OAuth tokens between stores, and look at what a store holds",
		Long: `tokenstore moves OAuth tokens between stores, and looks at what a store holds.

A store is named by a URL:
  ` + strings.Join(storeURLs, "\n  ") + `

No credential is shown, and none is taken from an argument or a URL.

Exit codes: 0 done; 1 a store could not be read or written; 2 the arguments are
not usable; 3 there is no such token; 4 done, but something is left for a person
to decide, as the report says.`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{errors.New("unknown command; see tokenstore --help")}
			}
			return nil
		},
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(importCommand(), listCommand(), findCommand(), getCommand(), checkCommand(), reindexCommand())
	return root
}

// storeURLs are the forms of a store's URL that the help shows.
var storeURLs = []string{
	"sqlite:tokens.db              a SQLite file with the SDKs' table",
	"file:sdk_tokens.txt           a token file of the SDKs",
	"awssm://PREFIX?region=REGION  AWS Secrets Manager",
	"vault://MOUNT/PREFIX          HashiCorp Vault or OpenBao, KV version 2",
	"memory:                       nothing that stays",
}

// exactArgs refuses other numbers of arguments, and says which it wants. It
// does not quote them: somebody may have typed a credential.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return &usageError{fmt.Errorf("want %d arguments, %s, not %d", len(names), strings.Join(names, " "), len(args))}
		}
		return nil
	}
}

// withStore opens a store, runs a function on it, and closes it.
func withStore(ctx context.Context, url string, do func(tokenstore.OpenStore) error) error {
	store, err := tokenstore.Open(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}
