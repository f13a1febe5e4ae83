// How many columns of a terminal a string takes: names in Chinese, Japanese or Korean take two for
// a character, and an accent that is a character of its own takes none.

package command

import (
	"unicode"

	"golang.org/x/text/width"
)

// columns returns the width of a string on a terminal.
func columns(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	const firstVowel, lastFinal = 0x1160, 0x11ff // Of a Hangul syllable, whose first letter is wide.
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me), r >= firstVowel && r <= lastFinal:
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
