// Tables and JSON: what the command prints has no credential in it.

package command

import (
	"encoding/json"
	"fmt"
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

// lastWidth is how much of a line the last column of a table needs, in which it is wrapped.
const lastWidth = 20

// table prints columns that are aligned, of many rows block by block. On a terminal that
// is too narrow for a block, it wraps the last column, which is prose; on one that is too
// narrow for that, it prints the rows as stacks: each cell in a line of its own.
type table struct {
	w      io.Writer
	width  int // of the terminal; 0 elsewhere
	header []string
	rows   [][]string // of this block
	begun  bool       // something is printed
	narrow bool       // a block did not fit
	err    error      // the first
}

func newTable(w io.Writer, header ...string) *table {
	return &table{w: w, header: header, width: widthOf(w)}
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	if t.rows = append(t.rows, cells); len(t.rows) == blockRows {
		_ = t.flush() // The last flush reports the error again.
	}
}

// flush prints the rows that are held.
func (t *table) flush() error {
	rows := t.rows
	t.rows = nil
	if !t.begun {
		rows = append([][]string{t.header}, rows...)
	}
	text, width := aligned(rows)
	if tooWide := t.width > 0 && width > t.width && len(rows) > 1; tooWide && !t.narrow {
		text, width = aligned(t.wrapped(rows))
		t.narrow = width > t.width
	}
	if t.narrow {
		if !t.begun {
			rows = rows[1:]
		}
		text = t.stacked(rows)
	}
	t.begun = true
	if t.err == nil && text != "" {
		_, t.err = io.WriteString(t.w, text)
	}
	return t.err
}

// wrapped returns rows of which the last cell is wrapped into rows of its own, if the other
// columns leave it lastWidth.
func (t *table) wrapped(rows [][]string) [][]string {
	last := len(t.header) - 1
	var others [][]string
	for _, cells := range rows {
		others = append(others, append(append([]string{}, cells[:last]...), "|"))
	}
	_, before := aligned(others)
	before-- // Without the mark that ends each.
	if last == 0 || before+lastWidth > t.width {
		return rows
	}
	var all [][]string
	for _, cells := range rows {
		for i, line := range strings.Split(wrap(cells[last], t.width-before, 0), "\n") {
			if i > 0 {
				cells = make([]string, last+1)
			}
			all = append(all, append(append([]string{}, cells[:last]...), line))
		}
	}
	return all
}

// standIn stands for a column of a cell; no cell has it, since it cannot be printed.
const standIn = '\x01'

// aligned returns rows as lines of aligned cells, and the width of the widest. A tabwriter takes
// each character for one column, so it gets as many stand-ins as a cell has columns.
func aligned(rows [][]string) (text string, width int) {
	var out, lines strings.Builder
	w := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	var all []string // the cells that are not empty
	for _, cells := range rows {
		stand := make([]string, len(cells))
		for i, cell := range cells {
			if cell != "" {
				all = append(all, cell)
				stand[i] = strings.Repeat(string(standIn), max(columns(cell), 1))
			}
		}
		_, _ = io.WriteString(w, strings.TrimRight(strings.Join(stand, "\t"), "\t")+"\n")
	}
	_ = w.Flush() // A strings.Builder takes everything.
	for line := range strings.Lines(lines.String()) {
		width = max(width, len(line)-1)
	}
	before := rune(0)
	for _, r := range lines.String() {
		switch {
		case r != standIn:
			_, _ = out.WriteRune(r)
		case before != standIn:
			_, _ = out.WriteString(all[0])
			all = all[1:]
		}
		before = r
	}
	return out.String(), width
}

// stacked returns rows with each cell that is not empty in a line of its own, behind its
// header. The last one is wrapped; what does not fit into a line otherwise is left to the
// terminal: it may be an ID that somebody wants to copy.
func (t *table) stacked(rows [][]string) string {
	name := 0
	for _, h := range t.header {
		name = max(name, columns(h))
	}
	var out strings.Builder
	for i, cells := range rows {
		if i > 0 || t.begun {
			_, _ = out.WriteString("\n")
		}
		for j, cell := range cells {
			if cell == "" {
				continue
			}
			if j == len(t.header)-1 {
				lines := strings.Split(wrap(cell, max(t.width-name-2, lastWidth), 0), "\n")
				cell = strings.Join(lines, "\n"+strings.Repeat(" ", name+2))
			}
			_, _ = fmt.Fprintf(&out, "%-*s  %s\n", name, t.header[j], cell)
		}
	}
	return out.String()
}

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
