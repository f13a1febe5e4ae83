// Printing, logging or marshalling a secret shows none of its data; what would lose or
// expose the data fails instead.

package driver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

var errNotCarried = errors.New("secrets cannot be marshalled with their data; use Secret.Data or Object.Encode")

// String returns the name, the revision and the size of the data, not the data.
func (s Secret) String() string {
	return fmt.Sprintf("secret %q at revision %q of %d bytes", s.Name, s.Revision, len(s.Data))
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns the secret without its data.
func (s Secret) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", s.Name), slog.String("revision", s.Revision), slog.Int("bytes", len(s.Data)))
}

// MarshalText returns what String returns; encoding/json, encoding/xml and others use
// it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText always fails, because MarshalText leaves out the data.
func (*Secret) UnmarshalText([]byte) error { return errNotCarried }

// GobEncode always fails, because it would write the data in clear text.
func (Secret) GobEncode() ([]byte, error) { return nil, errNotCarried }

// GobDecode always fails, as GobEncode does.
func (*Secret) GobDecode([]byte) error { return errNotCarried }

// UnmarshalText always fails, because MarshalText leaves out the fields.
func (*Object) UnmarshalText([]byte) error { return errNotCarried }
