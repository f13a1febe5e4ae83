// Taking a file apart into lines and fields, as the SDKs write them.

package filestore

import (
	"fmt"
	"strings"
)

// cell is one field of a line.
type cell struct {
	raw    string // As it is in the file.
	value  string // Without its quotes.
	quoted bool
}

// scanned is one record of a file: a line, or several if a line break is
// between quotes.
type scanned struct {
	cells  []cell // The next record of the same scanner overwrites them.
	fields int    // How many cells the record has; at most maxCells are kept.
	body   string // The record without its line end.
	end    string // Its line end; empty at the end of the file.
	lines  int
	// problem says why the record cannot be read. It is then one line, or has too
	// many fields.
	problem string
}

// maxCells is how many cells of a record are kept: more than any token file has.
const maxCells = 1000

var (
	problemOpenQuote  = "a quote is not closed"
	problemAfterQuote = "text follows a closing quote"
	problemReturn     = "a carriage return is inside the line"
	problemFields     = fmt.Sprintf("more than %d fields", maxCells)
)

// scanner takes a text apart into records, in a time that is linear in its size,
// whatever is in it.
//
// A record that cannot be read may have gone over many lines before that showed, and
// only its first line is given up, so that the next record begins in the second. What
// keeps that linear: two quoted fields that begin at different places never span the
// same line break. The quotes with which the later one begins would be pairs to the
// earlier one, and an even number of quotes ends the later one at once. So in the lines
// of a record that failed, a field over several lines is one of that record's, and
// fails as it did.
type scanner struct {
	text string
	pos  int // Where the next record begins.
	pace *pace

	cells   []cell
	failed  int    // Up to where a record that failed has been followed.
	problem string // Why it failed.
	lineEnd int    // The end of a line, if it is not before the place that is asked for.
}

// scan reads the record at the beginning of text, which is not empty.
func scan(text string) scanned { return (&scanner{text: text}).next() }

// next reads the next record, of which there must be one. Only a quote that begins a
// field has a meaning; any other is part of its value. If the context ends, what it
// returns has no meaning.
func (sc *scanner) next() scanned {
	s := scanned{cells: sc.cells[:0]}
	filled := false
	for at := sc.pos; sc.pace.goOn(at); {
		c, problem := sc.cell(at)
		if problem != "" {
			return sc.badLine(problem)
		}
		s.fields++
		filled = filled || c.value != ""
		if s.fields <= maxCells {
			s.cells = append(s.cells, c)
		}
		at += len(c.raw)
		if end, ok := lineEnd(sc.text[at:]); ok {
			s.end = end
			s.body = sc.text[sc.pos:at]
			s.lines = strings.Count(s.body, "\n") + 1
			sc.pos = at + len(end)
			break
		}
		at++ // The comma.
	}
	if s.fields > maxCells && filled {
		s.problem = problemFields
	}
	sc.cells = s.cells
	return s
}

// lineEnd returns the line end that text begins with: any number of carriage
// returns and a line feed or the end of the text.
func lineEnd(text string) (string, bool) {
	n := len(text) - len(strings.TrimLeft(text, "\r"))
	switch {
	case n == len(text):
		return text, true
	case text[n] == '\n':
		return text[:n+1], true
	}
	return "", false
}

// cell reads the field at a place of the text.
func (sc *scanner) cell(at int) (c cell, problem string) {
	text := sc.text[at:]
	if strings.HasPrefix(text, `"`) {
		return sc.quoted(at)
	}
	n := strings.IndexAny(text, ",\n")
	if n < 0 {
		n = len(text)
	}
	raw := text[:n]
	if n == len(text) || text[n] == '\n' {
		raw = strings.TrimRight(raw, "\r")
	}
	if strings.Contains(raw, "\r") {
		return cell{}, sc.fail(at, problemReturn)
	}
	return cell{raw: raw, value: raw}, ""
}

// quoted reads the quoted field at a place of the text.
func (sc *scanner) quoted(at int) (c cell, problem string) {
	text := sc.text[at:]
	followed := at < sc.failed && sc.endOfLine(at) < sc.failed
	if followed { // Unless it ends in its line, the record that failed had it.
		text = text[:sc.endOfLine(at)-at]
	}
	for n := 1; sc.pace.goOn(at + n); n += 2 {
		i := strings.IndexByte(text[n:], '"')
		if i < 0 && followed {
			return cell{}, sc.problem
		}
		if i < 0 {
			return cell{}, sc.fail(len(sc.text), problemOpenQuote)
		}
		n += i
		if strings.HasPrefix(text[n+1:], `"`) {
			continue
		}
		after := sc.text[at+n+1:]
		if _, ok := lineEnd(after); !ok && after[0] != ',' {
			return cell{}, sc.fail(at+n, problemAfterQuote)
		}
		value := strings.ReplaceAll(text[1:n], `""`, `"`)
		return cell{raw: text[:n+1], value: value, quoted: true}, ""
	}
	return cell{}, sc.problem
}

// endOfLine returns the end of the line in which a place is.
func (sc *scanner) endOfLine(at int) int {
	if sc.lineEnd < at {
		sc.lineEnd = len(sc.text)
		if i := strings.IndexByte(sc.text[at:], '\n'); i >= 0 {
			sc.lineEnd = at + i
		}
	}
	return sc.lineEnd
}

// fail notes that the present record cannot be read, and up to where it was followed
// over line breaks.
func (sc *scanner) fail(at int, problem string) string {
	if at > sc.failed {
		sc.failed, sc.problem = at, problem
	}
	return problem
}

// badLine returns the present line as a record that cannot be read.
func (sc *scanner) badLine(problem string) scanned {
	text := sc.text[sc.pos:]
	line, _, _ := strings.Cut(text, "\n")
	body := strings.TrimRight(line, "\r")
	end, _ := lineEnd(text[len(body):])
	sc.pos += len(body) + len(end)
	return scanned{body: body, end: end, lines: 1, problem: problem}
}

// blank reports whether the record has nothing in it. The SDKs leave such
// lines behind, some with commas or a pair of quotes, when they add a column.
func (s scanned) blank() bool {
	if len(s.cells) == 1 {
		return strings.TrimSpace(s.cells[0].value) == ""
	}
	for _, c := range s.cells {
		if c.value != "" {
			return false
		}
	}
	return s.problem == ""
}

// twofold reports whether each line of a record of several lines is a row of that
// many fields by itself, if quotes have no meaning.
func (s scanned) twofold(fields int) bool {
	if s.lines == 1 {
		return false
	}
	for line := range strings.SplitSeq(s.body, "\n") {
		if strings.Count(line, ",")+1 != fields {
			return false
		}
	}
	return true
}
