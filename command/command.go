// Package command is the operator's command as a library: a program imports it together
// with the packages of the stores that it should open, and has a command that knows
// their URLs.
//
//	package main
//
//	import (
//		"os"
//
//		"example.com/tokenstore/command"
//		_ "example.com/tokenstore/sqlstore" // opens sqlite:
//		_ "example.org/etcdstore"           // calls tokenstore.Register and Describe
//	)
//
//	func main() { os.Exit(command.Command{Name: "etcdtokens"}.Main()) }
//
// The verbs, the help and the completions come from what is registered: the package itself
// names no scheme. The command shows no credential unless somebody at a terminal asks for
// it, and takes none from its arguments.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK         = 0 // success
	exitFault      = 1 // a store, the provider or a file failed, or a person stopped it
	exitUsage      = 2 // invalid arguments
	exitNotFound   = 3 // there is no such token, or no store
	exitIncomplete = 4 // done, but the report names something for a person to decide
)

// Command is the operator's command. The zero value is ready to use.
type Command struct {
	// Name is the name of the program in helps and messages; "tokenstore" if empty.
	Name string
	// Version is what --version prints; if empty, the version of the program's main module.
	Version string
	// Stdin, Stdout and Stderr are the streams; if nil, those of the process. Only what is
	// an *os.File counts as a terminal.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Redeemer redeems the refresh tokens of the provider, for refresh, and Revoke revokes a
	// token there, for revoke; nil means Zoho, whose requests HTTP sends. A nil HTTP means
	// http.DefaultClient.
	Redeemer tokensource.Redeemer
	Revoke   func(context.Context, tokenstore.OAuthToken) error
	HTTP     *http.Client
	// Now is the clock by which a token has expired; nil means time.Now.
	Now func() time.Time

	work int // the work factor of a backup's passphrase, if not 0; tests have less of it
}

// Main runs the command with the arguments of the process, and returns its exit code. The
// first interrupt ends what is running in an orderly way; a second one ends the
// process at once. Where interrupts are ignored, as for a background job of a script, they stay
// so, and only SIGTERM ends it.
func (c Command) Main() int {
	signals := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(os.Interrupt) {
		signals = append(signals, os.Interrupt)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop)
	return c.Run(ctx, os.Args[1:])
}

// Run runs the command and returns its exit code: 0 success; 1 a store, the provider or a
// file failed, or somebody interrupted the command or did not confirm; 2 invalid arguments;
// 3 there is no such token, or no store; 4 done, but the report names something for a person
// to decide. It may be called more than once.
func (c Command) Run(ctx context.Context, args []string) int {
	c = c.withDefaults()
	root := c.root()
	root.SetArgs(append([]string{}, args...)) // nil would mean those of the process.
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	all := root.ExecuteContext(c.withPrompt(ctx))
	err := beyondIncomplete(all)
	if err == nil {
		return exitCode(all)
	}
	code := exitCode(err)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = &interruptedError{err}
	}
	if asJSON, _ := root.PersistentFlags().GetBool("json"); asJSON || slices.Contains(args, "--json") {
		_ = printJSON(c.Stderr, newJSONError(err, code)) // Nothing is left to report it to.
		return code
	}
	_, _ = fmt.Fprintf(c.Stderr, "%s: %v\n", c.Name, err)
	if code == exitUsage {
		_, _ = fmt.Fprintf(c.Stderr, "Run '%s --help', or a command with --help, for examples.\n", c.Name)
	}
	return code
}

func (c Command) withDefaults() Command {
	if c.Name == "" {
		c.Name = "tokenstore"
	}
	if c.Version == "" {
		c.Version = version()
	}
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// wantsJSON reports whether a verb prints JSON.
func wantsJSON(verb *cobra.Command) bool {
	asJSON, _ := verb.Flags().GetBool("json")
	return asJSON
}

// incompleteError ends a command whose report already says what is left to do.
type incompleteError struct{}

func (*incompleteError) Error() string { return "incomplete" }

// beyondIncomplete returns what an error says beside that a report names something to decide:
// that is told, and its exit code counts.
func beyondIncomplete(err error) error {
	var incomplete *incompleteError
	if !errors.As(err, &incomplete) {
		return err
	}
	var rest []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			rest = append(rest, beyondIncomplete(e))
		}
	}
	return errors.Join(rest...)
}

// partialError names the tokens that cannot be read, after a report of all others.
type partialError struct{ err error }

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// interruptedError is the error of a command that was interrupted. What was done before
// is in its report.
type interruptedError struct{ err error }

func (*interruptedError) Error() string   { return "interrupted" }
func (e *interruptedError) Unwrap() error { return e.err }

// usageError marks an error of the arguments.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var usage *usageError
	var incomplete *incompleteError
	var partial *partialError
	var nothing *nothingError
	var absent *absentError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &incomplete), errors.As(err, &partial):
		return exitIncomplete
	case errors.As(err, &usage), errors.Is(err, tokenstore.ErrInvalidArgument):
		return exitUsage
	case errors.Is(err, tokenstore.ErrNotFound), errors.As(err, &nothing), errors.As(err, &absent):
		return exitNotFound
	}
	return exitFault
}

// jsonError is an error as --json prints it, to standard error.
type jsonError struct {
	Error struct {
		Message   string `json:"message"`
		Kind      string `json:"kind,omitempty"`
		Retryable bool   `json:"retryable"`
		ExitCode  int    `json:"exit_code"`
	} `json:"error"`
}

func newJSONError(err error, code int) jsonError {
	var e jsonError
	e.Error.Message, e.Error.Retryable, e.Error.ExitCode = err.Error(), tokenstore.Retryable(err), code
	if kind := tokenstore.Kind(err); kind != nil {
		e.Error.Kind = kind.Error()
	}
	return e
}
