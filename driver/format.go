// What a secret shows when it is printed, logged or marshalled: none of its data.

package driver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

var errNotCarried = errors.New("a secret's data is not marshalled by package encoding; use the data itself")

// String returns the name, the revision and the size of the data, and none of it.
func (s Secret) String() string {
	return fmt.Sprintf("secret %q at revision %q of %d bytes", s.Name, s.Revision, len(s.Data))
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns the secret without its data.
func (s Secret) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", s.Name), slog.String("revision", s.Revision), slog.Int("bytes", len(s.Data)))
}

// MarshalText returns what String returns; encoding/json, encoding/xml and others
// marshal by it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText refuses: MarshalText leaves out the data.
func (*Secret) UnmarshalText([]byte) error { return errNotCarried }

// GobEncode refuses: the data is in clear text.
func (Secret) GobEncode() ([]byte, error) { return nil, errNotCarried }

// GobDecode refuses, as GobEncode does.
func (*Secret) GobDecode([]byte) error { return errNotCarried }

// UnmarshalText refuses: MarshalText leaves out the fields.
func (*Object) UnmarshalText([]byte) error { return errNotCarried }
