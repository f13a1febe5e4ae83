// Command tokenstore moves OAuth tokens between stores, and shows what a store
// holds. It shows no credential and takes none from its arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"example.com/tokenstore"
	_ "example.com/tokenstore/awssm"
	_ "example.com/tokenstore/filestore"
	_ "example.com/tokenstore/gcpsm"
	_ "example.com/tokenstore/sqlstore"
	_ "example.com/tokenstore/vault"
)

// The exit codes.
const (
	exitOK         = 0 // success
	exitFault      = 1 // a store could not be read or written
	exitUsage      = 2 // invalid arguments
	exitNotFound   = 3 // there is no such token, or no store
	exitIncomplete = 4 // done, but the report names something for a person to decide
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the command at once.
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := rootCommand()
	command.SetArgs(args)
	command.SetIn(stdin)
	command.SetOut(stdout)
	command.SetErr(stderr)
	err := command.ExecuteContext(ctx)
	code := exitCode(err)
	var quiet *incompleteError
	if err != nil && !errors.As(err, &quiet) {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = errors.New("interrupted")
		}
		_, _ = fmt.Fprintln(stderr, "tokenstore:", err)
		if code == exitUsage {
			_, _ = fmt.Fprintln(stderr, "Run 'tokenstore --help', or a command with --help, for examples.")
		}
	}
	return code
}

// incompleteError ends a command whose report already says what is left to do.
type incompleteError struct{}

func (*incompleteError) Error() string { return "incomplete" }

// usageError marks an error of the arguments.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var usage *usageError
	var incomplete *incompleteError
	var nothing *nothingError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &incomplete):
		return exitIncomplete
	case errors.As(err, &usage), errors.Is(err, tokenstore.ErrInvalidArgument):
		return exitUsage
	case errors.Is(err, tokenstore.ErrNotFound), errors.As(err, &nothing):
		return exitNotFound
	}
	return exitFault
}
