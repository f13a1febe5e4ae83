package main

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
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
		Args:          noArgs,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("tokenstore {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(importCommand(), listCommand(), findCommand(), getCommand(), checkCommand(), reindexCommand())
	return root
}

// storeURLs are the forms of a store's URL that the help shows.
var storeURLs = []string{
	"sqlite:tokens.db              a SQLite file with the SDKs' table",
	"file:sdk_tokens.txt           a token file of the SDKs",
	"awssm://PREFIX?region=REGION  AWS Secrets Manager",
	"gcpsm://PROJECT/PREFIX        Google Cloud's Secret Manager",
	"vault://MOUNT/PREFIX          HashiCorp Vault or OpenBao, KV version 2",
	"memory:                       nothing that stays",
}

// version returns the version of the module that the command was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// withStore opens a store, runs a function on it, and closes it.
func withStore(ctx context.Context, url string, do func(tokenstore.OpenStore) error) error {
	if err := checkScheme(url); err != nil {
		return err
	}
	store, err := tokenstore.Open(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

// checkScheme explains to who gave a file's name that a store is a URL.
func checkScheme(url string) error {
	schemes := tokenstore.Schemes()
	if scheme, _, ok := strings.Cut(url, ":"); ok && slices.Contains(schemes, strings.ToLower(scheme)) {
		return nil
	}
	return &usageError{errors.New("a store is a URL that begins with " + strings.Join(schemes, ":, ") +
		":, for example file:tokens.txt or sqlite:tokens.db")}
}
