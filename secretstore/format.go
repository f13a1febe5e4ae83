// What a store shows when it is printed, logged or marshalled: its name and its
// prefix. It holds the pepper, and remembers what it has read.

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
