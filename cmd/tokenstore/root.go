// The command with all its verbs, and its version.

package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// rootCommand returns the command with all its verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tokenstore",
		Short: "Move OAuth tokens between stores, and show what a store holds",
		Long: `tokenstore moves OAuth tokens between stores, and shows what a store holds.

A store is named by a URL:
  ` + strings.Join(storeURLs(), "\n  ") + `

No credential is shown, and none is taken from an argument or a URL.

Exit codes: 0 success; 1 a store could not be read or written; 2 invalid arguments;
3 there is no such token, or nothing of a store is at that place; 4 done, but the
report names something for a person to decide.`,
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
	// A verb that only looks passes readOnly(url) to withStore, and orNothing what it
	// did not find.
	root.AddCommand(importCommand(), listCommand(), findCommand(), getCommand(), checkCommand(), reindexCommand())
	return root
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
