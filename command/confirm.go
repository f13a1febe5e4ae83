// Asking before something is changed that cannot be undone: on a terminal only. A script
// passes --yes.

package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// errNotConfirmed ends a verb that somebody said no to.
var errNotConfirmed = errors.New("not confirmed; nothing was changed")

// consent is how a verb that changes something gets a person's word for it.
type consent struct {
	yes    bool
	dryRun bool
}

func (c *consent) flags(verb *cobra.Command) {
	verb.Flags().BoolVar(&c.yes, "yes", false, "do not ask; needed where standard input is not a terminal")
	verb.Flags().BoolVar(&c.dryRun, "dry-run", false, "report what would be done, and do nothing")
}

// canAsk returns an error if nobody can be asked. A verb calls it before it does anything.
func (c *consent) canAsk(verb *cobra.Command) error {
	if _, ok := terminal(verb.InOrStdin()); ok || c.yes || c.dryRun {
		return nil
	}
	return &usageError{errors.New("standard input is not a terminal, so nobody can be asked; look with --dry-run, then pass --yes")}
}

// ask returns nil if a person agrees, or has agreed with --yes.
func (c *consent) ask(verb *cobra.Command, question string) error {
	if c.yes {
		return nil
	}
	answer, err := askLine(verb.Context(), verb.InOrStdin(), verb.ErrOrStderr(), question+" Type yes to go on: ")
	if err != nil {
		return err
	}
	if answer != "yes" {
		return errNotConfirmed
	}
	return nil
}

// askLine asks for a line on a terminal, where it is shown as it is typed.
func askLine(ctx context.Context, stdin io.Reader, stderr io.Writer, prompt string) (string, error) {
	_, _ = fmt.Fprint(stderr, printable(prompt))
	line, err := within(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(stdin, maxCredential)).ReadString('\n')
	})
	if err != nil {
		_, _ = fmt.Fprintln(stderr) // Nobody has typed the end of the line.
		if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
			return "", err
		}
	}
	return strings.TrimSpace(line), nil
}
