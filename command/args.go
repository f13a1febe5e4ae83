// Errors of arguments and flags, which quote nothing of what was typed: it may be a
// credential.

package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// exactArgs requires one argument for each name; without names, none.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return &usageError{fmt.Errorf("want no arguments, not %d", len(args))}
		}
		plural := "s"
		if len(names) == 1 {
			plural = ""
		}
		return &usageError{fmt.Errorf("want %d argument%s, %s, not %d", len(names), plural, strings.Join(names, " "), len(args))}
	}
}

// nothingEmpty rejects an argument and a value of a flag that is empty, before it checks them
// otherwise: a script has not set a variable, and its --user must not select all users.
func nothingEmpty(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(verb *cobra.Command, args []string) error {
		var err error
		verb.Flags().Visit(func(f *pflag.Flag) {
			if f.Value.Type() == "string" && f.Value.String() == "" {
				err = &usageError{fmt.Errorf("the value of --%s is empty; give one, or leave the flag out", f.Name)}
			}
		})
		for i, arg := range args {
			if arg == "" && err == nil {
				err = &usageError{fmt.Errorf("argument %d is empty", i+1)}
			}
		}
		if err != nil {
			return err
		}
		return check(verb, args)
	}
}

// noArgs rejects an unknown command and lists the known ones.
func noArgs(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			names = append(names, c.Name())
		}
	}
	return &usageError{errors.New("unknown command; the commands are " + strings.Join(names, ", "))}
}

// flagError explains an error of the flags.
func flagError(command *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &value) && value.GetFlag().Value.Type() == "bool":
		err = fmt.Errorf("--%s takes no value", value.GetFlag().Name)
	case errors.As(err, &value) && value.GetFlag().Value.Type() == "duration":
		err = fmt.Errorf("--%s takes a duration such as 1h", value.GetFlag().Name)
	case errors.As(err, &value):
		err = fmt.Errorf("--%s takes a number", value.GetFlag().Name)
	case errors.As(err, &missing):
		err = fmt.Errorf("--%s needs a value", missing.GetFlag().Name)
	default:
		var names []string
		command.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		err = errors.New("unknown flag; the flags are " + strings.Join(names, ", "))
	}
	return &usageError{err}
}
