// How hints, claims and entries are printed and logged. An ID chosen by the caller may be
// a secret, so it is never shown in full.

package index

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"example.com/tokenstore"
)

// shown returns a string in full if it is a hash, as generated IDs are, else redacted.
func shown(text string) string {
	if len(text) <= HashLen && len(text) >= shortHash && validHash(text) {
		return text
	}
	return tokenstore.Redact(text)
}

// String returns the hint with its ID redacted, unless that is a hash.
func (h Hint) String() string {
	return fmt.Sprintf("Hint{id: %s, generation: %d, claimed: %s}", shown(h.ID), h.Generation, h.Claimed.UTC().Format(time.RFC3339))
}

// Format writes what String returns, whatever the verb.
func (h Hint) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, h.String()) }

// LogValue returns what String returns.
func (h Hint) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText returns what String returns; encoding/json and others marshal by it.
func (h Hint) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// String returns the claim with its ID redacted, unless that is a hash.
func (c Claim) String() string {
	return fmt.Sprintf("Claim{hash: %s, id: %s, generation: %d}", shown(c.Hash), shown(c.ID), c.Generation)
}

// Format writes what String returns, whatever the verb.
func (c Claim) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue returns what String returns.
func (c Claim) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText returns what String returns; encoding/json and others marshal by it.
func (c Claim) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the hash and the hints, with IDs redacted as in [Hint.String].
func (e Entry) String() string {
	hints := make([]string, len(e.Hints))
	for i, h := range e.Hints {
		hints[i] = h.String()
	}
	return fmt.Sprintf("Entry{hash: %s, hints: [%s]}", shown(e.Hash), strings.Join(hints, " "))
}

// Format writes what String returns, whatever the verb.
func (e Entry) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.String()) }

// LogValue returns what String returns.
func (e Entry) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalText returns what String returns; encoding/json and others marshal by it.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Format writes the form of the index, and nothing that it holds.
func (x *Document) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "index of documents") }

// Format writes the form of the index, and nothing that it holds.
func (x *Entries) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "index of entries") }

// Format writes the form of the index, and nothing that the view has read.
func (v *documentView) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "view of an %v", v.x)
}

// Format writes the form of the index, and nothing that the view has read.
func (v *entriesView) Format(s fmt.State, _ rune) { _, _ = fmt.Fprintf(s, "view of an %v", v.x) }
