package command

import (
	"strings"
	"testing"
	"time"

	"example.com/tokenstore/internal/importer"
)

// Where nobody watches, a long import says how far it is: soon after it began, and not
// after every batch.
func TestProgressInALog(t *testing.T) {
	for _, c := range []struct {
		total, batch int
		took         time.Duration // each batch
		lines        int
		first        string
	}{
		{99, 10, time.Minute, 0, ""},
		{100, 10, time.Second, 10, "importing: 10 of 100 rows, 10 a second, 9s left"},
		{2000, 1, 20 * time.Millisecond, 11, "importing: 50 of 2000 rows, 50 a second, 39s left"},
		{2000, 1, 0, 10, "importing: 200 of 2000 rows"},
		{2000, 700, time.Second, 3, "importing: 700 of 2000 rows, 700 a second, 2s left"},
		{100, 1, 4 * time.Second, 11, "importing: 1 of 100 rows, 0.2 a second, 6m36s left"},
	} {
		var log strings.Builder
		now := time.Unix(1_700_000_000, 0)
		m := &meter{w: &log, things: "rows", now: func() time.Time { return now }}
		m.progress(importer.Moving, 0, c.total)
		for n := 0; n < c.total; {
			now = now.Add(c.took)
			n = min(n+c.batch, c.total)
			m.progress(importer.Moving, n, c.total)
		}
		if lines := strings.Count(log.String(), "\n"); lines > c.lines || c.lines > 0 && lines == 0 {
			t.Errorf("%d rows, %d at a time: %d lines, want 1 to %d", c.total, c.batch, lines, c.lines)
		}
		if first, _, _ := strings.Cut(log.String(), "\n"); first != c.first {
			t.Errorf("%d rows: the first line is %q, want %q", c.total, first, c.first)
		}
	}
}

// A store that takes long to read is no silence.
func TestReadingInALog(t *testing.T) {
	var log strings.Builder
	now := time.Unix(1_700_000_000, 0)
	m := &meter{w: &log, things: "rows", now: func() time.Time { return now }}
	for n := 100; n <= 10_000; n += 100 {
		m.progress(importer.ReadingDestination, n, 0)
		now = now.Add(time.Second)
	}
	if want := "reading the destination: 3100 so far\nreading the destination: 6100 so far\nreading the destination: 9100 so far\n"; log.String() != want {
		t.Errorf("prints\n%s", log.String())
	}
}

// On a terminal, the rate and the remaining time are there within the first second, follow
// the rate of the last half minute, and leave nothing behind.
func TestProgressOnATerminal(t *testing.T) {
	var screen strings.Builder
	now := time.Unix(1_700_000_000, 0)
	columns := 0
	m := &meter{w: &screen, terminal: true, things: "rows", now: func() time.Time { return now }, width: func() int { return columns }}
	last := func() string {
		return strings.TrimRight(screen.String()[strings.LastIndex(screen.String(), "\r")+1:], " ")
	}
	m.progress(importer.ReadingSource, 100, 0)
	if want := "reading the source: 100 so far"; last() != want {
		t.Errorf("shows %q, want %q", last(), want)
	}
	m.progress(importer.Moving, 0, 10_000)
	now = now.Add(200 * time.Millisecond)
	m.progress(importer.Moving, 10, 10_000)
	if want := "importing: 10 of 10000 rows, 50 a second, 3m20s left"; last() != want {
		t.Errorf("shows %q, want %q", last(), want)
	}
	before := screen.Len()
	m.progress(importer.Moving, 11, 10_000)
	if screen.Len() != before {
		t.Error("every row is shown")
	}
	m.progress(importer.Moving, 5000, 10_000) // They were there already.
	for n := 5000; n <= 6000; n += 10 {
		now = now.Add(time.Second)
		m.progress(importer.Moving, n, 10_000)
	}
	if want := "importing: 6000 of 10000 rows, 10 a second, 6m40s left"; last() != want {
		t.Errorf("shows %q, want %q", last(), want)
	}
	columns = 30
	now = now.Add(time.Second)
	m.progress(importer.Moving, 6010, 10_000)
	if want := "importing: 6010 of 10000 ro"; last() != want {
		t.Errorf("on a narrow terminal, shows %q, want %q", last(), want)
	}
	m.clear()
	if !strings.HasSuffix(screen.String(), " \r") {
		t.Error("the line stays")
	}
}

// After an interruption, nothing is drawn behind what the terminal has echoed, no token counts
// that was not written, and both leave the screen.
func TestProgressEndsWithAnInterruption(t *testing.T) {
	var screen strings.Builder
	ended := make(chan struct{})
	m := &meter{w: &screen, terminal: true, things: "tokens", ended: ended, now: time.Now, width: func() int { return 0 }}
	m.progress("setting", 7, 10)
	_, _ = screen.WriteString("^C")
	close(ended)
	m.progress("setting", 10, 10)
	m.clear()
	const line = "setting: 7 of 10 tokens"
	if want := "\r" + line + "^C\r" + strings.Repeat(" ", len(line+"^C")) + "\r"; screen.String() != want {
		t.Errorf("shows %q, want %q", screen.String(), want)
	}
}
