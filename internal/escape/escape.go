// Package escape maps strings to names that a service allows, so that no two strings
// share a name. Its results are part of the stored forms and never change.
package escape

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Alphabet says which bytes a name may contain, and how to escape the others.
type Alphabet struct {
	// Mark begins an escape; two hexadecimal digits of a byte follow.
	Mark byte
	// Plain reports whether the byte at text[i] is written as it is. It must be false
	// for Mark.
	Plain func(text string, i int) bool
	// Upper selects upper-case digits.
	Upper bool
	// Slash selects two Marks as the escape of a slash.
	Slash bool
}

// Alphanumeric reports whether c is an ASCII letter or digit.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Escape returns text with every byte escaped that is not Plain.
func (a Alphabet) Escape(text string) string {
	first := 0
	for first < len(text) && a.Plain(text, first) {
		first++
	}
	if first == len(text) {
		return text // The usual case, which costs no memory.
	}
	var b strings.Builder
	b.WriteString(text[:first])
	for i := first; i < len(text); i++ {
		switch c := text[i]; {
		case a.Plain(text, i):
			b.WriteByte(c)
		case a.Slash && c == '/':
			b.Write([]byte{a.Mark, a.Mark})
		default:
			b.WriteString(a.Byte(c))
		}
	}
	return b.String()
}

// Byte returns the escape of one byte.
func (a Alphabet) Byte(c byte) string {
	digits := hex.EncodeToString([]byte{c})
	if a.Upper {
		digits = strings.ToUpper(digits)
	}
	return string(a.Mark) + digits
}

// Unescape returns the string whose escaped form is name, and false if an escape is
// incomplete. It accepts more than Escape produces: to find out whether Escape
// produced the name, escape the result again and compare.
func (a Alphabet) Unescape(name string) (string, bool) {
	if strings.IndexByte(name, a.Mark) < 0 {
		return name, true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] != a.Mark:
			b.WriteByte(name[i])
			continue
		case a.Slash && i+1 < len(name) && name[i+1] == a.Mark:
			b.WriteByte('/')
			i++
			continue
		case i+2 >= len(name):
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}

const base32Digits = "abcdefghijklmnopqrstuvwxyz234567"

// Base32 returns data in lower-case base32 without padding, which every service
// allows in a name. It is encoding/base32 without its allocations: each find needs it.
func Base32(data []byte) string {
	text := make([]byte, 0, HashLen) // On the stack.
	bits, n := uint(0), 0
	for _, c := range data {
		bits, n = bits<<8|uint(c), n+8
		for ; n >= 5; n -= 5 {
			text = append(text, base32Digits[bits>>(n-5)&31])
		}
	}
	if n > 0 {
		text = append(text, base32Digits[bits<<(5-n)&31])
	}
	return string(text)
}

// HashLen is the length of a [Hash].
const HashLen = 52

// Hash returns the SHA-256 of text in base32. It replaces strings that are too long
// for a name.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return Base32(sum[:])
}
