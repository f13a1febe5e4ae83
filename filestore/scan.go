// Taking a file apart into lines and fields, as the SDKs write them.

package filestore

import "strings"

// cell is one field of a line.
type cell struct {
	raw    string // As it is in the file.
	value  string // Without its quotes.
	quoted bool
}

// scanned is one record of a file: a line, or several if a line break is
// between quotes.
type scanned struct {
	cells []cell
	body  string // The record without its line end.
	end   string // Its line end; empty at the end of the file.
	lines int
	// problem says why the record cannot be read. It is then one line.
	problem string
}

const (
	problemOpenQuote  = "a quote is not closed"
	problemAfterQuote = "text follows a closing quote"
	problemReturn     = "a carriage return is inside the line"
)

// scan reads the record at the beginning of text, which is not empty. Only a
// quote that begins a field has a meaning; any other is part of its value.
func scan(text string) scanned {
	s := scanned{cells: make([]cell, 0, columnsInFile)}
	for rest := text; ; {
		c, problem := scanCell(rest)
		if problem != "" {
			return badLine(text, problem)
		}
		s.cells = append(s.cells, c)
		rest = rest[len(c.raw):]
		if end, ok := lineEnd(rest); ok {
			s.end = end
			s.body = text[:len(text)-len(rest)]
			s.lines = strings.Count(s.body, "\n") + 1
			return s
		}
		rest = rest[1:] // The comma.
	}
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

// scanCell reads the field at the beginning of text.
func scanCell(text string) (c cell, problem string) {
	if strings.HasPrefix(text, `"`) {
		return scanQuoted(text)
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
		return cell{}, problemReturn
	}
	return cell{raw: raw, value: raw}, ""
}

func scanQuoted(text string) (c cell, problem string) {
	for n := 1; ; n += 2 {
		i := strings.IndexByte(text[n:], '"')
		if i < 0 {
			return cell{}, problemOpenQuote
		}
		n += i
		if strings.HasPrefix(text[n+1:], `"`) {
			continue
		}
		after := text[n+1:]
		if _, ok := lineEnd(after); !ok && after[0] != ',' {
			return cell{}, problemAfterQuote
		}
		value := strings.ReplaceAll(text[1:n], `""`, `"`)
		return cell{raw: text[:n+1], value: value, quoted: true}, ""
	}
}

// badLine returns the first line of text as a record that cannot be read.
func badLine(text, problem string) scanned {
	line, _, _ := strings.Cut(text, "\n")
	body := strings.TrimRight(line, "\r")
	end, _ := lineEnd(text[len(body):])
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
