// The pages that this program writes into: what lies between two markers is its own, the rest is a person's.

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// markers of a generated section.
func markers(name string) (from, to string) {
	return "<!-- bench: " + name + " -->\n", "<!-- end of bench: " + name + " -->"
}

// section returns what a page has between the markers of a section.
func section(page, name string) (before, content, after string, err error) {
	from, to := markers(name)
	before, rest, found := strings.Cut(page, from)
	content, after, ends := strings.Cut(rest, to)
	if !found || !ends {
		return "", "", "", fmt.Errorf("the page has no section %q: put %s and %s where it belongs", name, strings.TrimSpace(from), to)
	}
	return before + from, content, to + after, nil
}

// rewrite replaces sections of a page.
func rewrite(path string, sections map[string]string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page := string(data)
	for name, content := range sections {
		before, _, after, err := section(page, name)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		page = before + "\n" + content + "\n" + after
	}
	return os.WriteFile(path, []byte(page), 0o644) //nolint:gosec // A page is for everybody.
}

// table lays out a table in Markdown. Columns whose heads end in a colon hold numbers.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	heads, rule := make([]string, len(head)), make([]string, len(head))
	for i, h := range head {
		name, number := strings.CutSuffix(h, ":")
		if heads[i], rule[i] = name, "---"; number {
			rule[i] = "--:"
		}
	}
	line(heads)
	fmt.Fprintf(&b, "|%s|\n", strings.Join(rule, "|"))
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// wrapped breaks a paragraph at 100 characters.
func wrapped(text string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column > 0 && column+1+len(word) > 100 {
			b.WriteString("\n")
			column = 0
		}
		if column > 0 {
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}

// duration writes a duration with three digits.
func duration(d time.Duration) string {
	ns := float64(d)
	switch {
	case d <= 0:
		return "0"
	case ns < 999.5:
		return digits(ns) + " ns"
	case ns < 999.5e3:
		return digits(ns/1e3) + " µs"
	case ns < 999.5e6:
		return digits(ns/1e6) + " ms"
	default:
		return digits(ns/1e9) + " s"
	}
}

// digits writes a number with three digits, and without zeros at the end of a fraction.
func digits(v float64) string {
	switch {
	case v >= 99.95:
		return integer(int(v + 0.5))
	case v >= 9.995:
		return trimmed(strconv.FormatFloat(v, 'f', 1, 64))
	default:
		return trimmed(strconv.FormatFloat(v, 'f', 2, 64))
	}
}

func trimmed(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// integer writes a number with commas.
func integer(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// money writes an amount.
func money(v float64) string {
	if v >= 99.5 {
		return "$" + integer(int(v+0.5))
	}
	return "$" + strconv.FormatFloat(v, 'f', 2, 64)
}

func sortPromises(all []promise) {
	slices.SortFunc(all, func(a, b promise) int { return cmp.Compare(a.what, b.what) })
}
