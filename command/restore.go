// The verb that puts the tokens of a backup into a store: an import, which overwrites
// nothing unasked, of a file that was read and checked to its end before it begins.

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/backup"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/internal/rowstore"
	"github.com/spf13/cobra"
)

func (c Command) restoreCommand() *cobra.Command {
	var key keyFlags
	var options importer.Options
	var f filter
	verb := &cobra.Command{
		Use:   "restore FILE STORE",
		Short: "Put the tokens of a backup into a store",
		Long: `Restore puts the tokens of a file that backup wrote into a store, with their IDs. It first
reads the whole file. If that is cut off, damaged, or not opened by the key, nothing is
restored. "-" is standard input.

Then it is an import: what the store has already is left as it is, a token that is missing is
created, and one that differs is left to decide unless --update or --overwrite says what to do
(import --help explains the outcomes). Afterwards every token is looked up by each of its keys
and compared. After an interruption, running the command again finishes it.

With --user and --client, only these tokens are restored: that undoes a wrong delete. Look
with --dry-run first. An access token in a backup has normally expired, and is refreshed when
it is used; but a refresh token that was rotated or revoked since then is of no use.

The exit code is 4 if a token was refused or left to decide, or is not found again, 3 if the
backup has no token that --user and --client select, 2 if it wants another kind of key than was
given, and 1 if the key does not open it.`,
		Example: `  {name} restore tokens.backup {service} --identity key.txt --dry-run
  {name} restore tokens.backup {service} --identity key.txt
  {name} restore tokens.backup {service} --identity key.txt --user amelia@zylker.com:60001234567
  {name} restore tokens.backup {local} --passphrase-file passphrase.txt --json`,
		Args: exactArgs("FILE", "STORE"),

		ValidArgsFunction: func(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return completeStore(nil, args[1:], typed)
		},
		RunE: func(verb *cobra.Command, args []string) error {
			if err := checkScheme(args[1]); err != nil {
				return err
			}
			if options.Overwrite && options.Update {
				return &usageError{errors.New("give one of --update and --overwrite")}
			}
			want, err := f.compile(c.Now())
			if err != nil {
				return err
			}
			k, err := key.get(verb, args[0])
			if err != nil {
				return err
			}
			open, remove, err := openBackup(verb, args[0])
			if err != nil {
				return fmt.Errorf("read FILE: %w; nothing was restored", err)
			}
			defer remove()
			b, err := backup.Open(verb.Context(), open, k)
			if errors.Is(err, backup.ErrNeedsIdentity) {
				err = &usageError{err}
			}
			if err != nil {
				return fmt.Errorf("read FILE: %w; nothing was restored", err)
			}
			return restore(verb, b, want, f != filter{}, args[1], options)
		},
	}
	flags := verb.Flags()
	flags.BoolVar(&options.DryRun, "dry-run", false, "report what would become of each token, and write nothing")
	flags.BoolVar(&options.KeepIDs, "keep-ids", true, "give new tokens the IDs that they have in the backup")
	flags.BoolVar(&options.Update, "update", false, "replace the values of a token that differs with the backup's if its access token expires later there")
	flags.BoolVar(&options.Overwrite, "overwrite", false, "replace the values of a token that differs with the backup's, whichever expires later")
	flags.StringVar(&f.user, "user", "", "only users that match this `PATTERN`, in which * stands for any characters and ? for one")
	flags.StringVar(&f.client, "client", "", "only tokens of the client with this `ID`")
	key.flags(verb)
	return verb
}

// openBackup returns what opens the file from its beginning, and what gives it up.
func openBackup(verb *cobra.Command, name string) (open func() (io.Reader, error), remove func(), err error) {
	if name == standardStream {
		if _, ok := terminal(verb.InOrStdin()); ok {
			return nil, nil, &usageError{errors.New("standard input is a terminal; redirect a backup into it, or name a file")}
		}
		return backup.Spool(verb.Context(), verb.InOrStdin())
	}
	file, err := backup.OpenFile(name)
	if err != nil {
		return nil, nil, err
	}
	open = func() (io.Reader, error) { return io.NewSectionReader(file, 0, math.MaxInt64), nil }
	return open, func() { _ = file.Close() }, nil // It was only read.
}

// restore imports the tokens of a backup that are wanted.
func restore(verb *cobra.Command, b *backup.Backup, want func(tokenstore.OAuthToken) bool, some bool, to string, options importer.Options) error {
	ctx := verb.Context()
	if some {
		if err := selects(ctx, b, want); err != nil {
			return err
		}
	}
	return withDestination(ctx, to, options, func(destination tokenstore.OpenStore, options importer.Options) error {
		err := importInto(verb, options, nil, func(options importer.Options) (importer.Report, error) {
			report, err := importer.ImportRows(ctx, rowsOf(ctx, b, want), destination, options)
			if b.Unreadable > 0 {
				report.Remarks = append(report.Remarks, fmt.Sprintf("the backup lacks %s, which could not be read when it was made", count(b.Unreadable, "token")))
			}
			return report, err
		})
		if b.Unreadable > 0 && !some && err == nil {
			err = &incompleteError{}
		}
		return err
	})
}

// selects returns an error if no token is wanted: somebody has mistyped a user.
func selects(ctx context.Context, b *backup.Backup, want func(tokenstore.OAuthToken) bool) error {
	for token, err := range b.Tokens(ctx) {
		switch {
		case err != nil:
			return fmt.Errorf("read FILE: %w; nothing was restored", err)
		case want(token):
			return nil
		}
	}
	return fmt.Errorf("the backup has no token that --user and --client select: %w", tokenstore.ErrNotFound)
}

// rowsOf returns the tokens of a backup as rows of a source.
func rowsOf(ctx context.Context, b *backup.Backup, want func(tokenstore.OAuthToken) bool) rowstore.Reading {
	return rowstore.Reading{
		Fixed:   true,
		Unknown: func() []rowstore.Unknown { return nil },
		Rows: func(yield func(rowstore.Row, error) bool) {
			seen := 0
			for token, err := range selected(b.Tokens(ctx), want, &seen) {
				row := rowstore.Row{Token: token}
				if err == nil {
					row.Warnings = rowstore.Warnings(token, false)
				}
				if !yield(row, err) {
					return
				}
			}
		},
	}
}
