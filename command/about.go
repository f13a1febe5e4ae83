// The verbs about the command itself: its version, and the completions of a shell.

package command

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

func (c Command) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which stores this program opens",
		Long: `Version prints the version of this program, that of Go with which it was built, and the
schemes of the stores that it opens.`,
		Example: "  {name} version\n  {name} version --json",
		Args:    exactArgs(),
		RunE: func(verb *cobra.Command, _ []string) error {
			w := verb.OutOrStdout()
			if wantsJSON(verb) {
				return printJSON(w, struct {
					Name    string   `json:"name"`
					Version string   `json:"version"`
					Go      string   `json:"go"`
					Schemes []string `json:"schemes"`
				}{c.Name, c.Version, runtime.Version(), tokenstore.Schemes()})
			}
			_, err := fmt.Fprintf(w, "%s %s, %s %s/%s\n", c.Name, c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			for _, scheme := range tokenstore.Schemes() {
				if err == nil {
					_, err = io.WriteString(w, "  "+scheme+":\n")
				}
			}
			return err
		},
	}
}

// helpCommand is cobra's, but for a verb that does not exist: that is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Help about any verb",
		ValidArgsFunction: func(help *cobra.Command, args []string, typed string) (verbs []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, verb := range help.Root().Commands() {
				if len(args) == 0 && verb.IsAvailableCommand() && strings.HasPrefix(verb.Name(), typed) {
					verbs = append(verbs, cobra.CompletionWithDesc(verb.Name(), verb.Short))
				}
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(help *cobra.Command, args []string) error {
			verb, rest, err := help.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noArgs(help.Root(), args)
			}
			verb.InitDefaultHelpFlag()
			return verb.Help()
		},
	}
}

// shells are those that have completions.
var shells = []struct {
	name  string
	write func(root *cobra.Command, w io.Writer) error
}{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
}

func completionCommand() *cobra.Command {
	var names []string
	for _, s := range shells {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a shell's script that completes verbs, flags and the schemes of stores",
		Long: `Completion prints the script with which a shell completes the verbs, the flags and the
schemes of the stores. In bash it needs the package bash-completion.`,
		Example: `  {name} completion bash > /etc/bash_completion.d/{name}
  {name} completion zsh > ~/.zfunc/_{name}
  {name} completion fish > ~/.config/fish/completions/{name}.fish
  {name} completion powershell | Out-String | Invoke-Expression`,
		Args:      exactArgs("SHELL"),
		ValidArgs: names,
		RunE: func(verb *cobra.Command, args []string) error {
			for _, s := range shells {
				if s.name == args[0] {
					return s.write(verb.Root(), verb.OutOrStdout())
				}
			}
			return &usageError{errors.New("unknown shell; the shells are bash, zsh, fish and powershell")}
		},
	}
}
