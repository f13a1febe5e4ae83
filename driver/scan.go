// The decoder of an Object. It goes through the data once and copies nothing out of it, which
// makes a find several times cheaper than with encoding/json. It decides only what it is sure
// of: whatever it declines, encoding/json decides.

package driver

import (
	"encoding/json"
	"slices"
	"strings"
)

// scan decodes a JSON object whose values are strings, numbers, booleans or null. The fields
// share the memory of data. It reports false for anything else, JSON or not.
func scan(data string) ([]Field, bool) {
	s := scanner{data: data}
	if s.next() != '{' {
		return nil, false
	}
	s.at++
	if s.next() == '}' {
		s.at++
		return nil, s.done()
	}
	most := usualFields
	if len(data) > usualSize {
		most = strings.Count(data, `":`)
	}
	fields, sorted := make([]Field, 0, most), true
	for {
		f, ok := s.field()
		if !ok {
			return nil, false
		}
		if n := len(fields); n > 0 && f.Name <= fields[n-1].Name {
			sorted = false
		}
		fields = append(fields, f)
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			if !sorted {
				fields = inOrder(fields)
			}
			return fields, s.done()
		default:
			return nil, false
		}
	}
}

// Of an object of at most usualSize, such as a token, there is room for usualFields at once. To
// count them takes longer than to make more room.
const (
	usualSize   = 4 << 10
	usualFields = 16
)

// inOrder sorts fields by name. Of several with one name, the last counts.
func inOrder(fields []Field) []Field {
	slices.SortStableFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	kept := fields[:0]
	for i, f := range fields {
		if i+1 == len(fields) || fields[i+1].Name != f.Name {
			kept = append(kept, f)
		}
	}
	return kept
}

// scanner is a position in the data of an object.
type scanner struct {
	data string
	at   int
}

// next skips white space and returns the next byte without consuming it; zero at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// done reports whether only white space is left.
func (s *scanner) done() bool { return s.next() == 0 && s.at == len(s.data) }

// field consumes a name, a colon and a value.
func (s *scanner) field() (f Field, ok bool) {
	if s.next() != '"' {
		return f, false
	}
	name, isPlain, ok := s.text()
	if !ok {
		return f, false
	}
	if f.Name = name; !isPlain {
		f.Name = unquoted(`"` + name + `"`)
	}
	if s.next() != ':' {
		return f, false
	}
	s.at++
	f.value, f.raw, ok = s.value()
	return f, ok
}

// unquoted decodes a string that text has accepted.
func unquoted(literal string) (text string) {
	_ = json.Unmarshal([]byte(literal), &text)
	return text
}

// value consumes a value: the string itself or, if raw, its JSON.
func (s *scanner) value() (value string, raw, ok bool) {
	c, start := s.next(), s.at
	if c == '"' {
		text, isPlain, ok := s.text()
		if !isPlain {
			text = s.data[start:s.at]
		}
		return text, !isPlain, ok
	}
	switch c {
	case 't':
		ok = s.literal("true")
	case 'f':
		ok = s.literal("false")
	case 'n':
		ok = s.literal("null")
	default:
		ok = s.number()
	}
	return s.data[start:s.at], true, ok
}

// text consumes a string, and returns what is between its quotes. isPlain reports that it
// needs no decoding.
func (s *scanner) text() (text string, isPlain, ok bool) {
	start := s.at + 1
	end := start + plainLen(s.data[start:])
	if end < len(s.data) && s.data[end] == '"' {
		s.at = end + 1
		return s.data[start:end], true, true
	}
	for end < len(s.data) {
		switch c := s.data[end]; {
		case c == '"':
			s.at = end + 1
			return s.data[start:end], false, true
		case c == '\\':
			n := escapeLen(s.data[end:])
			if n == 0 {
				return "", false, false
			}
			end += n
		case c < ' ':
			return "", false, false
		default:
			end++
		}
	}
	return "", false, false
}

// escapeLen returns the length of the escape at the beginning of text, or zero if it is none.
func escapeLen(text string) int {
	switch {
	case len(text) < 2:
		return 0
	case strings.IndexByte(`"\/bfnrt`, text[1]) >= 0:
		return 2
	case text[1] != 'u' || len(text) < 6:
		return 0
	}
	for i := 2; i < 6; i++ {
		if strings.IndexByte("0123456789abcdefABCDEF", text[i]) < 0 {
			return 0
		}
	}
	return 6
}

// literal consumes a word.
func (s *scanner) literal(word string) bool {
	if !strings.HasPrefix(s.data[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// number consumes a number. Like everything of any length, it is kept as it is written.
func (s *scanner) number() bool {
	s.skip("-")
	switch {
	case s.skip("0"):
	case !s.digits():
		return false
	}
	if s.skip(".") && !s.digits() {
		return false
	}
	if s.skip("eE") {
		s.skip("+-")
		return s.digits()
	}
	return true
}

// skip consumes one byte if it is one of those in set.
func (s *scanner) skip(set string) bool {
	if s.at == len(s.data) || strings.IndexByte(set, s.data[s.at]) < 0 {
		return false
	}
	s.at++
	return true
}

// digits consumes one or more digits.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// plainLen returns the length of the part of text, from its beginning, that needs no escapes
// in a JSON string. It takes eight bytes at a time.
func plainLen(text string) int {
	n := 0
	for ; n+8 <= len(text); n += 8 {
		t := text[n : n+8]
		w := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		if !plainWord(w) {
			break
		}
	}
	for n < len(text) && plainByte(text[n]) {
		n++
	}
	return n
}

func plainByte(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' }

// plainWord reports whether all eight bytes of w are plain. In each byte, a subtraction that
// borrows, or an addition that carries, sets the highest bit.
func plainWord(w uint64) bool {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	quote, backslash := w^'"'*each, w^'\\'*each
	odd := w | (w + each) | // above '~'
		(w - ' '*each) | (quote - each) | (backslash - each) // below ' ', and the two
	return odd&high == 0
}
