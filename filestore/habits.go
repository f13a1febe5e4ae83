// What tells the SDK that wrote a file, and so how to write to it.

package filestore

import (
	"fmt"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

const (
	lineFeed       = "\n"
	returnLineFeed = "\r\n"
)

// habits are what tells the SDK that wrote a file, and how a new line has to
// look in it.
type habits struct {
	end   string // The line end: LF or CR LF.
	final bool   // The last line has a line end.

	redirectURI bool // The header has the Python SDK's name, or ours.
	typescript  bool // The header has the TypeScript SDK's name.

	quoted    bool // A field is between quotes.
	unquoted  bool // A field is not.
	bareQuote bool // A field has a quote in its middle, and none around it.
	nullWord  bool // A field is the word null.
	empty     bool // A field is empty.

	// needless are the rows with quotes that CSV does not need.
	needless []*record
	// head are the marks of the header.
	head marks
}

// marks are what one record says of the habits.
type marks uint8

const (
	quotedField marks = 1 << iota
	unquotedField
	bareQuote
	nullField
	emptyField
	needlessQuotes
)

// note adds what a record says.
func (h *habits) note(m marks, r *record) {
	h.quoted = h.quoted || m&quotedField != 0
	h.unquoted = h.unquoted || m&unquotedField != 0
	h.bareQuote = h.bareQuote || m&bareQuote != 0
	h.nullWord = h.nullWord || m&nullField != 0
	h.empty = h.empty || m&emptyField != 0
	if m&needlessQuotes != 0 {
		h.needless = append(h.needless, r)
	}
}

// withoutRows returns the habits as the header alone tells them.
func (h habits) withoutRows() habits {
	only := habits{end: h.end, final: h.final, redirectURI: h.redirectURI, typescript: h.typescript, head: h.head}
	only.note(h.head, nil)
	return only
}

func newHabits(text string) habits {
	h := habits{end: lineFeed, final: text == "" || strings.HasSuffix(text, lineFeed)}
	if i := strings.Index(text, lineFeed); i > 0 && text[i-1] == '\r' {
		h.end = returnLineFeed
	}
	return h
}

// header notes how the header looks.
func (h *habits) header(s scanned) {
	for i, c := range s.cells {
		name := strings.ToLower(strings.TrimSpace(c.value))
		h.redirectURI = h.redirectURI || name == "redirect_uri"
		h.typescript = h.typescript || (name == "user_mail" && i > 0 && len(s.cells) == columnsInFile)
		if c.quoted {
			h.head |= quotedField
		} else {
			h.head |= unquotedField
		}
	}
	h.note(h.head, nil)
}

// marksOf returns what the looks of a row say.
func marksOf(s scanned) (m marks) {
	for _, c := range s.cells {
		switch {
		case c.quoted:
			m |= quotedField
			if c.value != "" && !needsQuotes(c.value) && strings.TrimSpace(c.value) == c.value {
				m |= needlessQuotes
			}
			continue
		case c.value == "":
			m |= emptyField
		case c.value == nullWord:
			m |= nullField
		case strings.Contains(c.value, `"`):
			m |= bareQuote
		}
		m |= unquotedField
	}
	return m
}

// csv reports whether all programs that write the file seem to read quotes. A file with
// a quoted field is such a file. The SDKs for Node, TypeScript and Scala leave
// the last line without end, as that for PHP does; that for C# has the line
// ends of its system under the name redirect_url, which those of the Java SDK
// 8.0 (earlier ones quote every field) and the Ruby SDK are not told from.
func (h *habits) csv() bool {
	switch {
	case h.quoted:
		return true
	case h.bareQuote, h.nullWord, h.typescript, !h.final:
		return false
	}
	return h.redirectURI
}

// certain reports whether nobody but us and the Python SDK has written the
// file, so that quotes have one meaning.
func (h *habits) certain() bool { return h.redirectURI && h.final }

// needsQuotes reports whether CSV, or what we read in it, needs quotes around
// the value.
func needsQuotes(value string) bool {
	return strings.ContainsAny(value, ",\"\r\n") || rowstore.IsNull(value) || strings.HasPrefix(value, byteOrderMark)
}

// nulls reports whether an absent value is written as the word null, as the
// Scala SDK does, which fails at a row whose last fields are empty. A file of
// its own may have got such rows from others; a file of others may have got the
// word from a person.
func (h *habits) nulls() bool {
	scala := !h.final && !h.quoted && !h.redirectURI && !h.typescript
	return h.nullWord && (scala || !h.empty)
}

// encode returns how the value is written in the column.
func (h *habits) encode(c column, value string, quotes bool) (string, error) {
	if !quotes && !h.plain(value) {
		return "", fmt.Errorf("%w: %s has a comma, a line break or a quote, or is null or another word for nothing, which a file without quoting cannot hold;"+
			" open the file with quotes=true if all programs that use it read CSV", tokenstore.ErrInvalidToken, c)
	}
	switch {
	case value == "" && h.nulls():
		return nullWord, nil
	case quotes && (needsQuotes(value) || (h.quoted && !h.unquoted)):
		return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`, nil
	}
	return value, nil
}

// plain reports whether the value can be written without quotes. Quotes inside
// a value can, since the SDKs that write none read them as they stand; but not
// where they would make the quotes of other lines uncertain.
func (h *habits) plain(value string) bool {
	quote := strings.Index(value, `"`)
	return !strings.ContainsAny(value, ",\r\n") && quote != 0 && (quote < 0 || !h.quoted) &&
		!rowstore.IsNull(value) && !strings.HasPrefix(value, byteOrderMark)
}
