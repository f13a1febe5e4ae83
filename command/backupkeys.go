// What a backup is encrypted with and opened with. A passphrase is never an argument, which
// others could see, nor a variable of the environment, which ends up in dumps of it: it is
// typed at a terminal, without echo, or is the first line of a file.

package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/tokenstore/internal/backup"
	"example.com/tokenstore/internal/fsfault"
	"filippo.io/age"
	"github.com/spf13/cobra"
)

// lockFlags are the flags of what a backup is encrypted with.
type lockFlags struct {
	recipients     []string
	recipientFiles []string
	passphraseFile string
	plain          bool
	ask            consent
}

func (l *lockFlags) flags(verb *cobra.Command) {
	flags := verb.Flags()
	flags.StringArrayVar(&l.recipients, "recipient", nil, "encrypt to the public `KEY` of a recipient, age1...; may be repeated")
	flags.StringArrayVar(&l.recipientFiles, "recipients-file", nil, "encrypt to the public keys in this `FILE`, one a line; may be repeated")
	flags.StringVar(&l.passphraseFile, "passphrase-file", "", "encrypt with the passphrase that is the first line of this `FILE`; - is standard input")
	flags.BoolVar(&l.plain, "plain", false, "do not encrypt: asks first, and needs --yes where standard input is not a terminal")
	flags.BoolVar(&l.ask.yes, "yes", false, "do not ask")
}

// check says what is wrong with the flags, before anything is done.
func (l *lockFlags) check(verb *cobra.Command) error {
	ways := 0
	for _, given := range []bool{len(l.recipients)+len(l.recipientFiles) > 0, l.passphraseFile != "", l.plain} {
		if given {
			ways++
		}
	}
	_, typed := terminal(verb.InOrStdin())
	switch {
	case ways > 1:
		return &usageError{errors.New("give one of recipients, --passphrase-file and --plain")}
	case ways == 0 && !typed:
		return &usageError{errors.New("standard input is not a terminal, so no passphrase can be asked for; pass --recipient, --recipients-file or --passphrase-file")}
	case l.plain && !typed && !l.ask.yes:
		return &usageError{errors.New("standard input is not a terminal, so nobody can be asked; pass --yes if the backup shall not be encrypted")}
	}
	return nil
}

// get returns what the backup is encrypted with, and asks for it.
func (l *lockFlags) get(verb *cobra.Command) (backup.Lock, error) {
	switch {
	case l.plain:
		return backup.Lock{}, l.ask.ask(verb, "Write every credential into a file that is not encrypted?")
	case l.passphraseFile != "":
		passphrase, err := passphraseFrom(verb, l.passphraseFile)
		return backup.Lock{Passphrase: passphrase}, err
	case len(l.recipients)+len(l.recipientFiles) > 0:
		recipients, err := l.getRecipients()
		return backup.Lock{Recipients: recipients}, err
	}
	passphrase, err := newPassphrase(verb)
	return backup.Lock{Passphrase: passphrase}, err
}

func (l *lockFlags) getRecipients() (all []age.Recipient, err error) {
	for _, key := range l.recipients {
		some, err := backup.ParseRecipients(strings.NewReader(key))
		if err != nil {
			return nil, ofFlag("recipient", err)
		}
		all = append(all, some...)
	}
	for _, name := range l.recipientFiles {
		some, err := fromFile(name, backup.ParseRecipients)
		if err != nil {
			return nil, ofFlag("recipients-file", err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// ofFlag returns an error of a flag's value.
func ofFlag(name string, err error) error { return &usageError{fmt.Errorf("--%s: %w", name, err)} }

// newPassphrase asks twice, so that nobody encrypts a backup with a slip.
func newPassphrase(verb *cobra.Command) (string, error) {
	first, err := readCredential(verb.Context(), "passphrase", verb.InOrStdin(), verb.ErrOrStderr())
	if err != nil {
		return "", err
	}
	again, err := readCredential(verb.Context(), "passphrase again", verb.InOrStdin(), verb.ErrOrStderr())
	if err != nil {
		return "", err
	}
	if first != again {
		return "", &usageError{errors.New("the two passphrases differ; nothing was written")}
	}
	return first, nil
}

// passphraseFrom reads the first line of a file.
func passphraseFrom(verb *cobra.Command, name string) (string, error) {
	read := func(r io.Reader) (string, error) {
		line, err := bufio.NewReader(io.LimitReader(r, maxCredential)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("the first line is empty; it is the passphrase")
		}
		return line, nil
	}
	var passphrase string
	var err error
	if name == standardStream {
		passphrase, err = within(verb.Context(), func() (string, error) { return read(verb.InOrStdin()) })
	} else {
		passphrase, err = fromFile(name, read)
	}
	if err != nil && verb.Context().Err() == nil {
		err = ofFlag("passphrase-file", err)
	}
	return passphrase, err
}

// fromFile reads something from a file, whose name is in no error.
func fromFile[T any](name string, read func(io.Reader) (T, error)) (value T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return value, fsfault.Of(err)
	}
	defer func() { _ = f.Close() }() // It was only read.
	return read(f)
}

// keyFlags are the flags of what a backup is opened with.
type keyFlags struct {
	identityFiles  []string
	passphraseFile string
}

func (k *keyFlags) flags(verb *cobra.Command) {
	flags := verb.Flags()
	flags.StringArrayVar(&k.identityFiles, "identity", nil, "open the backup with the private keys in this `FILE`, as age-keygen writes it; may be repeated")
	flags.StringVar(&k.passphraseFile, "passphrase-file", "", "open the backup with the passphrase that is the first line of this `FILE`; - is standard input")
}

// get returns what opens a backup. The passphrase is asked for when it is needed.
func (k *keyFlags) get(verb *cobra.Command, file string) (*backup.Key, error) {
	if k.passphraseFile == standardStream && file == standardStream {
		return nil, &usageError{errors.New("standard input cannot be both FILE and --passphrase-file; name a file for one of them")}
	}
	key := &backup.Key{Passphrase: func() (string, error) { return k.passphrase(verb, file) }}
	for _, name := range k.identityFiles {
		some, err := fromFile(name, backup.ParseIdentities)
		if err != nil {
			return nil, ofFlag("identity", err)
		}
		key.Identities = append(key.Identities, some...)
	}
	return key, nil
}

func (k *keyFlags) passphrase(verb *cobra.Command, file string) (string, error) {
	if k.passphraseFile != "" {
		return passphraseFrom(verb, k.passphraseFile)
	}
	if _, ok := terminal(verb.InOrStdin()); !ok || file == standardStream {
		return "", &usageError{errors.New("the backup is encrypted with a passphrase, and standard input is not a terminal to ask for it; pass --passphrase-file")}
	}
	return readCredential(verb.Context(), "passphrase of the backup", verb.InOrStdin(), verb.ErrOrStderr())
}
