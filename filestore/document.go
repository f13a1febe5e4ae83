// A file as it was read: its records, and what is wrong with them.

package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// kind is what a record is.
type kind uint8

const (
	blankLine kind = iota
	headerLine
	rowLine
	badRecord // It cannot be read.
)

// record is one line of a file; several, if a line break is between quotes. It
// is never changed, only replaced, since documents share their records.
type record struct {
	kind  kind
	marks marks // What it says of the habits, if it is a row.
	line  int
	body  string
	end   string // The line end; empty: that of the document.
	*row         // What a row says. Only a row has it: a file may have millions of other lines.
}

// row is what a row says. It is never changed, only replaced.
type row struct {
	token tokenstore.OAuthToken
	// oddExpiry says that the row has an expiry that cannot be understood.
	oddExpiry bool
}

// document is a file as it was read. Written again unchanged it is the same,
// byte for byte.
type document struct {
	mark    string // The byte order mark, if there is one.
	records []*record
	layout  layout
	header  bool
	rows    int // How many records were taken for rows.
	habits  habits
	problem []LineError
	// foreign says what the file is, if it is no token file.
	foreign string
	text    string // What is being read, without the mark.
	// reformed says that a change gave the file another form.
	reformed bool
	index    *index // for many look-ups; nil unless they were made
}

const byteOrderMark = "\ufeff"

// parse reads a file. It fails only if the context ends: what cannot be read is in
// the document's problems.
func parse(ctx context.Context, data []byte) (*document, error) {
	text := string(data)
	d := &document{habits: newHabits(text)}
	if rest, ok := strings.CutPrefix(text, byteOrderMark); ok {
		d.mark, text = byteOrderMark, rest
	}
	d.text = text
	if strings.HasPrefix(text, unfinished) {
		d.problem = []LineError{{Line: 1, Problem: problemUnfinished}}
	}
	sc := &scanner{text: text, pace: &pace{ctx: ctx, looked: -piece}}
	for line, blank := 1, -1; sc.pos < len(text); {
		if d.closed() {
			d.addRest(line, text[sc.pos:])
			break
		}
		at := sc.pos
		s := sc.next()
		if sc.pace.err != nil {
			return nil, sc.pace.err
		}
		switch {
		case s.blank() && blank >= 0: // Blank lines are one record: there may be millions.
			last := d.records[len(d.records)-1]
			last.body, last.end = text[blank:sc.pos-len(s.end)], s.end
		case s.blank():
			blank = at
			d.records = append(d.records, &record{kind: blankLine, line: line, body: s.body, end: s.end})
		default:
			blank = -1
			d.add(line, s)
		}
		line += s.lines
	}
	d.checkQuotes()
	d.checkIDs()
	d.text = "" // The records have what is needed of it.
	return d, ctx.Err()
}

// emptyDocument returns the document of a file that is empty, or not there.
func emptyDocument() *document { return &document{habits: newHabits("")} }

// add adds the next record, which is not blank.
func (d *document) add(line int, s scanned) {
	r := &record{kind: badRecord, line: line, body: s.body, end: s.end}
	d.records = append(d.records, r)
	if d.layout == nil && d.addHeader(r, s) {
		return
	}
	d.addRow(r, s)
}

// closed reports whether the first line makes it impossible to read any other.
func (d *document) closed() bool { return d.layout == nil && len(d.problem) > 0 }

// addRest adds what is not read as one record.
func (d *document) addRest(line int, text string) {
	body := strings.TrimSuffix(text, lineFeed)
	d.records = append(d.records, &record{kind: badRecord, line: line, body: body, end: text[len(body):]})
}

// addHeader takes the first record that is not blank, and reports whether it
// is a header, or none for certain. Without one, nothing after it is read.
func (d *document) addHeader(r *record, s scanned) bool {
	problem := s.problem
	if problem == "" {
		d.layout, d.header, problem = layoutOf(s.cells)
	}
	if !d.header {
		d.foreign = foreignFile(d.text)
	}
	switch {
	case d.foreign != "":
		d.layout = nil
		d.report(r, s, d.foreign)
		return true
	case problem != "":
		d.report(r, s, problem+", so that no line can be read")
		return true
	case d.header:
		r.kind = headerLine
		d.habits.header(s)
		return true
	}
	return false
}

// addRow takes a record that is neither blank nor the header.
func (d *document) addRow(r *record, s scanned) {
	r.marks = marksOf(s)
	d.habits.note(r.marks, r)
	d.rows++
	problem := s.problem
	switch {
	case problem != "":
	case s.fields > len(d.layout):
		problem = fmt.Sprintf("%s instead of %d; a value with a comma may lack its quotes", count(s.fields), len(d.layout))
	case s.fields < len(d.layout):
		problem = fmt.Sprintf("%s instead of %d", count(s.fields), len(d.layout))
	case d.twofold(s):
		problem = "quotes that may hold several lines together, or belong to the values of each"
	default:
		r.row = &row{}
		r.token, r.oddExpiry, problem = d.layout.token(s.cells)
	}
	if problem != "" {
		d.report(r, s, problem)
		return
	}
	r.kind = rowLine
	if !d.layout.hasID() {
		r.token.ID = strconv.Itoa(d.rows)
	}
}

// twofold reports whether it is uncertain if a record is one row or several.
func (d *document) twofold(s scanned) bool {
	return !d.habits.certain() && s.twofold(len(d.layout))
}

// report marks a record as one that cannot be read.
func (d *document) report(r *record, s scanned, problem string) {
	if s.lines > 1 {
		problem += fmt.Sprintf(" (to line %d)", r.line+s.lines-1)
	}
	r.kind = badRecord
	r.row = nil
	d.problem = append(d.problem, LineError{Line: r.line, Problem: problem})
}

// nullWord is what the Scala SDK writes for an absent value.
const nullWord = "null"

// token reads a row that has as many cells as the layout. An expiry that cannot be
// understood is an unknown one, unless the row looks shifted: a value with a comma
// puts the expiry into another column.
func (l layout) token(cells []cell) (t tokenstore.OAuthToken, oddExpiry bool, problem string) {
	for i := range cells {
		if l[i] == columnUnknown {
			continue
		}
		value := cells[i].text()
		if l[i] == columnExpiry {
			expiry, err := tokenstore.ParseExpiry(value)
			if t.Expiry, oddExpiry = expiry, err != nil; oddExpiry && noTime(value) && shifted(cells, i) {
				return t, false, "expiry_time is not a time, but the value beside it is; a value with a comma may lack its quotes"
			}
			continue
		}
		if !utf8.ValidString(value) {
			return t, false, l[i].String() + " is not valid UTF-8"
		}
		*l[i].Text(&t) = value
	}
	if t.ID == "" && l.hasID() {
		return t, false, "no ID"
	}
	return t, oddExpiry, ""
}

// text returns the value of a cell.
func (c cell) text() string {
	if c.null() {
		return ""
	}
	return c.value
}

// null reports whether the cell has a word for an absent value. A word between quotes
// is that word.
func (c cell) null() bool { return !c.quoted && rowstore.IsNull(c.value) }

// noTime reports whether an import would not read the value as a time either.
func noTime(value string) bool {
	t, _ := rowstore.ReadExpiry(value)
	return t.IsZero()
}

// shifted reports whether a cell next to that of the expiry holds a time in
// milliseconds.
func shifted(cells []cell, expiry int) bool {
	for _, i := range []int{expiry - 1, expiry + 1} {
		if i < 0 || i >= len(cells) || len(cells[i].text()) != millisecondDigits {
			continue
		}
		if _, err := tokenstore.ParseExpiry(cells[i].text()); err == nil {
			return true
		}
	}
	return false
}

const millisecondDigits = 13

// checkQuotes reports the rows with quotes that CSV does not need, if other
// rows show that the file was written without quoting: there they may be part
// of the value.
func (d *document) checkQuotes() {
	if !d.habits.bareQuote {
		return
	}
	for _, r := range d.habits.needless {
		if r.kind == rowLine {
			d.report(r, scanned{}, "quotes that may belong to the value, since other lines are written without quoting")
		}
	}
}

// checkIDs reports all rows that share an ID.
func (d *document) checkIDs() {
	first := map[string]*record{}
	var twins [][2]*record
	for _, r := range d.records {
		if r.kind != rowLine {
			continue
		}
		if other, ok := first[r.token.ID]; ok {
			twins = append(twins, [2]*record{other, r})
			continue
		}
		first[r.token.ID] = r
	}
	for _, pair := range twins {
		for i, r := range pair {
			if r.kind == rowLine {
				d.report(r, scanned{}, fmt.Sprintf("the ID is also that of line %d", pair[1-i].line))
			}
		}
	}
	slices.SortStableFunc(d.problem, func(a, b LineError) int { return a.Line - b.Line })
}

// unreadable returns an error that names the lines that cannot be read.
func (d *document) unreadable() error {
	if len(d.problem) == 0 {
		return nil
	}
	return &UnreadableError{Lines: slices.Clone(d.problem)}
}

// orUnreadable returns err, or, if nothing was found, the error of the lines
// that cannot be read, if there are any: it may be on one of those.
func (d *document) orUnreadable(err error) error {
	if errors.Is(err, tokenstore.ErrNotFound) {
		if lines := d.unreadable(); lines != nil {
			return lines
		}
	}
	return err
}

// tokens yields the tokens of the rows that can be read.
func (d *document) tokens() iter.Seq[tokenstore.OAuthToken] {
	return func(yield func(tokenstore.OAuthToken) bool) {
		for _, r := range d.records {
			if r.kind == rowLine && !yield(r.token) {
				return
			}
		}
	}
}

// byID returns the row with that ID, or nil.
func (d *document) byID(id string) *record {
	if i := d.find(lookUp{value: id}, false); i >= 0 {
		return d.records[i]
	}
	return nil
}
