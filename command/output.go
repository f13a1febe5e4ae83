// Tables and JSON: what the command prints has no credential in it.

package command

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
	text, err := indented(v, "")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text+"\n")
	return err
}

// indented returns JSON of several lines, of which all but the first begin with a prefix.
func indented(v any, prefix string) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	err := enc.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// jsonList prints a list of JSON values one by one.
type jsonList struct {
	w      io.Writer
	indent string // of the line that the list begins in
	n      int
}

func (l *jsonList) add(v any) error {
	text, err := indented(v, l.indent+"  ")
	if err != nil {
		return err
	}
	before := ",\n"
	if l.n == 0 {
		before = "[\n"
	}
	l.n++
	_, err = io.WriteString(l.w, before+l.indent+"  "+text)
	return err
}

func (l *jsonList) end() error {
	text := "\n" + l.indent + "]"
	if l.n == 0 {
		text = "[]"
	}
	_, err := io.WriteString(l.w, text)
	return err
}

// blockRows is how many rows of a table are held, so that their columns are aligned.
const blockRows = 1000

// table prints columns that are aligned, of many rows block by block.
type table struct {
	w    *tabwriter.Writer
	rows int
}

func newTable(w io.Writer, header ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(header...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, _ = io.WriteString(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t")+"\n")
	if t.rows++; t.rows > blockRows {
		_ = t.w.Flush() // The last flush reports the error again.
		t.rows = 1
	}
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

// tokenPrinter prints tokens without their credentials, one by one.
type tokenPrinter struct {
	table *table
	list  *jsonList
	w     io.Writer
}

func newTokenPrinter(w io.Writer, asJSON bool) *tokenPrinter {
	if asJSON {
		return &tokenPrinter{w: w, list: &jsonList{w: w}}
	}
	return &tokenPrinter{w: w, table: newTable(w, "ID", "USER", "EXPIRES", "API DOMAIN", "HAS")}
}

func (p *tokenPrinter) add(token tokenstore.OAuthToken) error {
	if p.list != nil {
		return p.list.add(token)
	}
	expires := ""
	if !token.Expiry.IsZero() {
		expires = token.Expiry.UTC().Format(time.RFC3339)
	}
	p.table.row(token.ID, token.UserName, expires, token.APIDomain, strings.Join(token.Credentials(), " "))
	return nil
}

func (p *tokenPrinter) end() error {
	if p.list == nil {
		return p.table.flush()
	}
	if err := p.list.end(); err != nil {
		return err
	}
	_, err := io.WriteString(p.w, "\n")
	return err
}
