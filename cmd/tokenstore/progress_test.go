package main

import (
	"strings"
	"testing"
)

// Where nobody watches, a long import says how far it is: soon after it began, and not
// after every batch.
func TestProgressInALog(t *testing.T) {
	for _, c := range []struct{ total, batch, most int }{{99, 10, 0}, {100, 10, 10}, {2000, 10, 11}, {2000, 700, 3}} {
		var log strings.Builder
		progress := progressLines(&log)
		progress(0, c.total)
		for n := 0; n < c.total; {
			n = min(n+c.batch, c.total)
			progress(n, c.total)
		}
		lines := strings.Count(log.String(), "\n")
		if lines > c.most || c.most > 0 && lines == 0 {
			t.Errorf("%d rows, %d at a time: %d lines, want 1 to %d", c.total, c.batch, lines, c.most)
		}
		first, _, _ := strings.Cut(log.String(), "\n")
		if want := map[bool]string{true: "importing: 10 of "}[c.most > 0 && c.batch == 10]; !strings.HasPrefix(first, want) {
			t.Errorf("%d rows: the first line is %q", c.total, first)
		}
	}
}
