// Tables and JSON: what the command prints has no credential in it.

package main

import (
	"encoding/json"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"example.com/tokenstore"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints aligned columns.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, header ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(header...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, _ = io.WriteString(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t")+"\n")
}

func (t *table) flush() error { return t.w.Flush() }

// printable replaces what could confuse a terminal or a table: an ID may hold
// anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// printableLines returns lines in which nothing confuses a terminal.
func printableLines(lines []string) string {
	var all []string
	for _, l := range lines {
		all = append(all, printable(l))
	}
	return strings.Join(all, "\n")
}

// printTokens prints tokens without their credentials.
func printTokens(w io.Writer, tokens []tokenstore.OAuthToken) error {
	t := newTable(w, "ID", "USER", "EXPIRES", "API DOMAIN", "HAS")
	for _, token := range tokens {
		expires := ""
		if !token.Expiry.IsZero() {
			expires = token.Expiry.UTC().Format(time.RFC3339)
		}
		t.row(token.ID, token.UserName, expires, token.APIDomain, strings.Join(token.Credentials(), " "))
	}
	return t.flush()
}
