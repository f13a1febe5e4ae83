// Prose that fits a terminal: it is wrapped at words, where the terminal would break them.

package command

import (
	"io"
	"strings"

	"golang.org/x/term"
)

// widthOf returns the width of a terminal; 0 elsewhere, and where it is not known.
func widthOf(w io.Writer) int {
	fd, ok := terminal(w)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return width
}

// wrap breaks a line at words, so that it takes at most width columns, and indents what
// follows the first break. A word that is longer stays whole, since it may be one that somebody
// wants to copy. A width of 0 breaks nothing.
func wrap(line string, width, indent int) string {
	if width <= 0 || columns(line) <= width {
		return line
	}
	var out strings.Builder
	used := 0
	for i, word := range strings.Split(line, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case used+1+n <= width:
			_, _ = out.WriteString(" ")
			used++
		default:
			_, _ = out.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		}
		_, _ = out.WriteString(word)
		used += n
	}
	return out.String()
}

// wrapLines wraps each line of a text for what it is printed to.
func wrapLines(w io.Writer, text string) string {
	width := widthOf(w)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wrap(line, width, 2)
	}
	return strings.Join(lines, "\n")
}
