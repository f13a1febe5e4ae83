// The verb that writes all tokens of a store into one file, which is encrypted unless
// somebody says no to that.

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/backup"
	"example.com/tokenstore/internal/rowstore"
	"github.com/spf13/cobra"
)

// standardStream stands for standard output or input in the place of a file's name.
const standardStream = "-"

func (c Command) backupCommand() *cobra.Command {
	var lock lockFlags
	var force bool
	verb := &cobra.Command{
		Use:   "backup STORE FILE",
		Short: "Write all tokens into one encrypted file",
		Long: `Backup writes all tokens of a store into one file, with their credentials, for restore.

The file is encrypted with age (age-encryption.org): to the public keys of --recipient and
--recipients-file, which age-keygen makes, so that whoever makes backups cannot read them; or
with a passphrase, which is asked for on a terminal or is the first line of --passphrase-file.
Whoever has the private key or the passphrase has every credential; without it, nobody can
restore the backup. With --plain, the file is not encrypted.

The file appears under its name when it is complete, can be read by its owner alone, and
replaces another only with --force. "-" is standard output. Tokens that are saved while the
backup runs may be in it or not.

A token's ten fields are backed up. The note that programs leave on a token, and fields that
somebody has added to its secret, are not. A token that cannot be read is named; the backup is
made without it, and the exit code is 4.`,
		Example: `  {name} backup {service} tokens.backup --recipient age1...
  {name} backup {service} tokens.backup --recipients-file recipients.txt --force --json
  {name} backup {local} tokens.backup
  {name} backup {service} - --passphrase-file passphrase.txt | ssh vault.example 'cat > tokens.backup'`,
		Args: exactArgs("STORE", "FILE"),

		ValidArgsFunction: func(verb *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return completeStore(verb, args, typed)
		},
		RunE: func(verb *cobra.Command, args []string) error {
			b := &backingUp{verb: verb, url: args[0], header: backup.Header{Store: schemeOf(args[0]), Time: c.Now()}}
			if err := lock.check(verb); err != nil {
				return err
			}
			to, err := newBackupFile(verb, args[1], force)
			if err != nil {
				return err
			}
			defer to.Discard()
			if b.lock, err = lock.get(verb); err != nil {
				return err
			}
			b.lock.Work = c.work
			return withStore(verb.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error { return b.run(store, to) })
		},
	}
	lock.flags(verb)
	verb.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return verb
}

// schemeOf returns the scheme of a store's URL.
func schemeOf(url string) string {
	usage, _ := usageOf(url) // withStore reports one that is unknown.
	return usage.Scheme
}

// backupFile is what a backup is written to.
type backupFile interface {
	io.Writer
	TakePlace() error
	Discard()
}

// standardOutput is a backupFile that has its place already.
type standardOutput struct{ io.Writer }

func (standardOutput) TakePlace() error { return nil }
func (standardOutput) Discard()         {}

// newBackupFile returns the file, of which nothing is to be seen until it takes its place.
func newBackupFile(verb *cobra.Command, name string, force bool) (backupFile, error) {
	if name != standardStream {
		file, err := backup.Create(name, force)
		if errors.Is(err, backup.ErrExists) {
			return nil, &usageError{fmt.Errorf("create FILE: %w", err)}
		}
		if err != nil {
			return nil, fmt.Errorf("create FILE: %w", err)
		}
		return file, nil
	}
	if _, ok := terminal(verb.OutOrStdout()); ok {
		return nil, &usageError{errors.New("standard output is a terminal, and a backup is not for the eyes; redirect it, or name a file")}
	}
	return standardOutput{verb.OutOrStdout()}, nil
}

// backupReport is what a backup reports. Nothing in it is a credential.
type backupReport struct {
	Tokens     int      `json:"tokens"`
	Encryption string   `json:"encryption"`
	Unreadable []string `json:"unreadable"`
}

// backingUp is a backup that is being made.
type backingUp struct {
	verb   *cobra.Command
	url    string
	header backup.Header
	lock   backup.Lock
	report backupReport
}

func (b *backingUp) run(store tokenstore.Store, to backupFile) error {
	b.report = backupReport{Encryption: describe(b.lock), Unreadable: []string{}}
	if err := b.write(store, to); err != nil {
		return err
	}
	if err := to.TakePlace(); err != nil {
		return fmt.Errorf("write FILE: %w", err)
	}
	if err := b.print(to); err != nil {
		return err
	}
	if len(b.report.Unreadable) > 0 {
		return &incompleteError{}
	}
	return nil
}

// describe says how a backup is encrypted.
func describe(lock backup.Lock) string {
	switch {
	case lock.Passphrase != "":
		return "passphrase"
	case len(lock.Recipients) > 0:
		return "recipients"
	}
	return "none"
}

// write writes all tokens.
func (b *backingUp) write(store tokenstore.Store, to io.Writer) error {
	var closeAge func() error
	if b.report.Encryption != "none" {
		encrypted, err := b.lock.Encrypt(to)
		if err != nil {
			return fmt.Errorf("encrypt the backup: %w", err)
		}
		to, closeAge = encrypted, encrypted.Close
	}
	w, err := backup.NewWriter(to, b.header)
	if err != nil {
		return fmt.Errorf("write FILE: %w", err)
	}
	if err := b.tokens(b.verb.Context(), store, w); err != nil {
		return err
	}
	b.report.Tokens = w.Tokens()
	err = w.End(len(b.report.Unreadable))
	if err == nil && closeAge != nil {
		err = closeAge()
	}
	if err != nil {
		return fmt.Errorf("write FILE: %w", err)
	}
	return nil
}

// tokens adds all tokens of a store that can be read.
func (b *backingUp) tokens(ctx context.Context, store tokenstore.Store, w *backup.Writer) error {
	m := newMeter(b.verb, "tokens")
	defer m.clear()
	var unread []error
	for token, err := range allTokens(ctx, store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread = append(unread, rowstore.SplitErrors(err)...)
			continue
		case err != nil:
			return fmt.Errorf("read STORE: %w", err)
		}
		switch err := w.Add(token); {
		case errors.Is(err, tokenstore.ErrInvalidToken):
			unread = append(unread, fmt.Errorf("token %s: %w", printable(token.ID), err))
		case err != nil:
			return fmt.Errorf("write FILE: %w", err)
		default:
			m.progressOf("backing up", w.Tokens())
		}
	}
	if w.Tokens() == 0 && len(unread) > 0 {
		return errors.Join(unread...)
	}
	for _, err := range unread {
		b.report.Unreadable = append(b.report.Unreadable, err.Error())
	}
	if w.Tokens() == 0 {
		return orNothing(ctx, store, b.url, nil)
	}
	return nil
}

// print prints the report: to standard error, if the backup itself is on standard output.
func (b *backingUp) print(to backupFile) error {
	w := b.verb.OutOrStdout()
	if _, ok := to.(standardOutput); ok {
		w = b.verb.ErrOrStderr()
	}
	if wantsJSON(b.verb) {
		return printJSON(w, b.report)
	}
	text := count(b.report.Tokens, "token") + " backed up, "
	switch b.report.Encryption {
	case "recipients":
		text += "encrypted to " + count(len(b.lock.Recipients), "recipient")
	case "passphrase":
		text += "encrypted with a passphrase"
	default:
		text += "not encrypted: whoever can read the file has every credential"
	}
	if n := len(b.report.Unreadable); n > 0 {
		text += fmt.Sprintf("\nwithout %s, which could not be read:\n", count(n, "token")) + printableLines(b.report.Unreadable)
	}
	_, err := io.WriteString(w, wrapLines(w, strings.TrimSpace(text))+"\n")
	return err
}
