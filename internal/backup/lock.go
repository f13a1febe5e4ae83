// The encryption of a backup, by age: to the public keys of recipients, or to a passphrase.

package backup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Lock is what a backup is encrypted with: recipients or a passphrase.
type Lock struct {
	Recipients []age.Recipient
	Passphrase string
	// Work is the work factor of a passphrase, if not 0; tests have less of it.
	Work int
}

// Encrypt returns a writer whose Close ends the encrypted file.
func (l Lock) Encrypt(w io.Writer) (io.WriteCloser, error) {
	recipients := l.Recipients
	if l.Passphrase != "" {
		r, err := age.NewScryptRecipient(l.Passphrase)
		if err != nil {
			return nil, err
		}
		if l.Work != 0 {
			r.SetWorkFactor(l.Work)
		}
		recipients = []age.Recipient{r}
	}
	return age.Encrypt(w, recipients...)
}

// ParseRecipients reads a file of public keys, one a line. What is wrong in it is not
// quoted: somebody may have named the file of a private key.
func ParseRecipients(r io.Reader) ([]age.Recipient, error) {
	recipients, err := age.ParseRecipients(r)
	if err != nil {
		return nil, errors.New("want public keys that begin with age1, one a line, as age-keygen -y prints them")
	}
	return recipients, nil
}

// ParseIdentities reads a file of private keys, of which nothing is quoted.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	identities, err := age.ParseIdentities(r)
	if err != nil {
		return nil, errors.New("want private keys that begin with AGE-SECRET-KEY-, one a line, as age-keygen writes them; decrypt the file first if it is encrypted")
	}
	return identities, nil
}

// Errors of keys. Each says what to pass.
var (
	ErrNeedsIdentity = errors.New("the backup is encrypted to recipients; pass --identity with the file of a private key")
	ErrWrongIdentity = errors.New("none of the private keys opens this backup; pass --identity with the key of one of its recipients (or the file is damaged)")
	ErrWrongPassword = errors.New("the passphrase does not open this backup; try the one that it was made with (or the file is damaged)")
)

// Key opens encrypted backups.
type Key struct {
	Identities []age.Identity
	// Passphrase is called once, if the backup was encrypted with a passphrase.
	Passphrase func() (string, error)

	file []byte // the key of the file, once it is known
	err  error  // why it is not
}

// Unwrap implements age.Identity.
func (k *Key) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if k.file == nil && k.err == nil {
		k.file, k.err = k.unwrap(stanzas)
	}
	return k.file, k.err
}

func (k *Key) unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) == 1 && stanzas[0].Type == "scrypt" {
		passphrase, err := k.Passphrase()
		if err != nil {
			return nil, err
		}
		identity, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return nil, ErrWrongPassword
		}
		file, err := identity.Unwrap(stanzas)
		if err != nil {
			return nil, ErrWrongPassword
		}
		return file, nil
	}
	if len(k.Identities) == 0 {
		return nil, ErrNeedsIdentity
	}
	for _, identity := range k.Identities {
		if file, err := identity.Unwrap(stanzas); err == nil {
			return file, nil
		}
	}
	return nil, ErrWrongIdentity
}

// decrypted returns what is in a file, which need not be encrypted.
func (k *Key) decrypted(file io.Reader) (io.Reader, error) {
	in := &checkedReader{in: file}
	peeked := bufio.NewReader(in)
	begin, err := peeked.Peek(len(encryptedMagic))
	switch {
	case in.err != nil:
		return nil, in.err
	case err != nil && len(begin) == 0, err != nil && strings.HasPrefix(encryptedMagic, string(begin)):
		return nil, ErrDamaged // It is shorter than that.
	case !bytes.Equal(begin, []byte(encryptedMagic)):
		return peeked, nil
	}
	text, err := age.Decrypt(peeked, k)
	switch {
	case in.err != nil:
		return nil, in.err
	case k.err != nil:
		return nil, k.err
	case err != nil: // age's own error may quote the file.
		return nil, fmt.Errorf("%w (if it comes from a newer version of age, its header is not understood)", ErrDamaged)
	}
	return &decryptedReader{text, in}, nil
}

// checkedReader notes the error with which a file could not be read.
type checkedReader struct {
	in  io.Reader
	err error
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// decryptedReader tells what is damaged from what cannot be read.
type decryptedReader struct {
	text io.Reader
	file *checkedReader
}

func (r *decryptedReader) Read(p []byte) (int, error) {
	n, err := r.text.Read(p)
	switch {
	case r.file.err != nil:
		err = r.file.err
	case err != nil && !errors.Is(err, io.EOF):
		err = ErrDamaged
	}
	return n, err
}
