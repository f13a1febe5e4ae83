package tokenstore

import "encoding/json"

// KeyKind is the kind of a [Key].
type KeyKind string

// The four kinds of keys.
const (
	UserKey    KeyKind = "user"
	RefreshKey KeyKind = "refresh"
	AccessKey  KeyKind = "access"
	GrantKey   KeyKind = "grant"
)

// Key is one value by which a token is found. Its value may be a credential,
// so printing, logging or marshalling a key shows its kind only.
type Key struct {
	Kind  KeyKind
	Value string
}

// String returns the kind only.
func (k Key) String() string { return string(k.Kind) + " key" }

// GoString returns the kind only.
func (k Key) GoString() string { return k.String() }

// MarshalJSON returns the kind only.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
