// The keys by which tokens are found, as values that never show a credential when they
// are printed.

package tokenstore

import (
	"fmt"
	"io"
	"log/slog"
)

// KeyKind is the kind of a [Key].
type KeyKind string

// The four kinds of key.
const (
	UserKey    KeyKind = "user"
	RefreshKey KeyKind = "refresh"
	AccessKey  KeyKind = "access"
	GrantKey   KeyKind = "grant"
)

// Key is a value by which a token is found. Its value may be a credential, so
// printing, logging or marshalling a key shows only its kind.
type Key struct {
	Kind  KeyKind
	Value string
}

// String returns the kind, not the value.
func (k Key) String() string { return string(k.Kind) + " key" }

// Format writes what String returns, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue returns what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns what String returns; encoding/json, encoding/xml and others use
// it.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText always fails, because MarshalText leaves out the value.
func (*Key) UnmarshalText([]byte) error {
	return fmt.Errorf("%w: a key's value is not marshalled", ErrInvalidArgument)
}

// GobEncode always fails, because the value may be a credential.
func (Key) GobEncode() ([]byte, error) {
	return nil, fmt.Errorf("%w: a key's value is not marshalled", ErrInvalidArgument)
}
