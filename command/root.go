// The command with all its verbs, and its version.

package command

import (
	"context"
	"errors"
	"io/fs"
	"runtime/debug"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// root returns the command with all its verbs.
func (c Command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   c.Name,
		Short: "Show, move and change the OAuth tokens of a store",
		Long: c.Name + ` shows what a store of OAuth tokens holds, moves tokens from store to store, and
changes and deletes them.

A store is named by a URL:
  ` + strings.Join(storeURLs(), "\n  ") + `

No credential is taken from an argument or a URL, and none is shown, except by get --reveal
to a person at a terminal.

Exit codes: 0 success; 1 a store, the provider or a file failed, or the command was interrupted
or not confirmed; 2 invalid arguments; 3 there is no such token, or nothing of a store is at
that place; 4 done, but the report names something for a person to decide.`,
		Args:          noArgs,
		RunE:          func(root *cobra.Command, _ []string) error { return root.Help() },
		Version:       c.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Bool("json", false, "print JSON, also for an error")
	root.SetFlagErrorFunc(flagError)
	// No Set…Template: text/template calls methods by name, so the linker would keep them all.
	root.CompletionOptions.DisableDefaultCmd = true // Its errors would show what was typed.
	// A verb that only looks passes readOnly(url) to withStore, and orNothing what it
	// did not find.
	root.AddCommand(importCommand(), c.listCommand(), findCommand(), getCommand(), checkCommand(), reindexCommand(),
		c.statusCommand(), c.compareCommand(),
		setCommand(), c.refreshCommand(), c.revokeCommand(), deleteCommand())
	root.AddCommand(c.backupCommand(), c.restoreCommand())
	root.AddCommand(c.doctorCommand(), policyCommand())
	root.AddCommand(putCommand(), deleteAllCommand(), undeleteCommand())
	root.AddCommand(c.versionCommand(), completionCommand())
	root.SetHelpCommand(helpCommand())
	for _, verb := range root.Commands() {
		verb.Example, verb.Args = c.examples(verb.Example), nothingEmpty(verb.Args)
	}
	return root
}

// examples puts the program's name and the URLs of registered stores into the examples of a
// help: one store that is a file, and one that is a service.
func (c Command) examples(text string) string {
	local, service := "STORE", "STORE"
	for _, u := range tokenstore.Usages() {
		switch {
		case u.ReadOnly:
			local = u.Example
		case strings.Contains(u.Example, "//"):
			service = u.Example
		}
	}
	return strings.NewReplacer("{name}", c.Name, "{local}", local, "{service}", service).Replace(text)
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
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &absentError{err}
	case err != nil:
		return err
	}
	return errors.Join(do(store), store.Close())
}

// withExisting is withStore for a verb that changes tokens which are there: a file or a table
// that is missing is not created. A dry run opens the store for reading only.
func withExisting(ctx context.Context, url string, dryRun bool, do func(tokenstore.OpenStore) error) error {
	reading := readOnly(url)
	if dryRun {
		return withStore(ctx, reading, do)
	}
	if reading != url {
		if err := withStore(ctx, reading, func(tokenstore.OpenStore) error { return nil }); err != nil {
			return err
		}
	}
	return withStore(ctx, url, do)
}
