// How a store is printed, logged or marshalled: by its name and prefix only, since it holds
// the pepper and remembers tokens.

package secretstore

import (
	"fmt"
	"io"
	"log/slog"
)

// String returns the store's name and the prefix of its secrets.
func (s *Store) String() string { return fmt.Sprintf("%s store at %q", s.name, s.prefix) }

// Format writes what String returns, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String returns.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns; encoding/json and others marshal by it.
func (s *Store) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
