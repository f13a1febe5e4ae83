// How far a long verb is, and how long it will take: on a terminal as a line that is
// written over again, in a log as a few lines.

package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/tokenstore/internal/importer"
	"github.com/spf13/cobra"
)

const (
	// rateTime is of how long the last rows count for the rate: rows that are there
	// already take less time than those that have to be written.
	rateTime = 30 * time.Second
	// redraw is how often the line on a terminal is written.
	redraw = 100 * time.Millisecond
	// fewRows are so few that a log needs no word about them.
	fewRows = 100
	// logParts is how many lines there are in a log for all rows.
	logParts = 10
)

// meter shows progress.
type meter struct {
	w        io.Writer
	terminal bool
	things   string          // what is counted
	ended    <-chan struct{} // closed when somebody interrupts the verb
	now      func() time.Time
	width    func() int // of the terminal; 0 if it is not known

	stage   importer.Stage
	began   time.Time // of the stage
	shown   time.Time // the last line
	next    int       // in a log: the number of rows after which there is a line
	length  int       // of the line on the terminal
	samples []sample  // of the last rateTime, oldest first
}

// sample is how many rows were done at a moment.
type sample struct {
	at   time.Time
	done int
}

// echoed is what a terminal shows, behind the line, when somebody interrupts the verb.
const echoed = "^C"

// newMeter returns a meter on a verb's standard error, of tokens or of other things. With
// --json, it shows nothing.
func newMeter(verb *cobra.Command, things string) *meter {
	m := &meter{w: verb.ErrOrStderr(), things: things, ended: verb.Context().Done(), now: time.Now}
	m.width = func() int { return widthOf(m.w) }
	_, m.terminal = terminal(m.w)
	if wantsJSON(verb) {
		m.w, m.terminal = io.Discard, false
	}
	return m
}

// progress takes how far the verb is. After an interruption it shows nothing: what is counted
// then was not done.
func (m *meter) progress(stage importer.Stage, done, total int) {
	select {
	case <-m.ended:
		return
	default:
	}
	now := m.now()
	if stage != m.stage {
		m.stage, m.began, m.shown, m.next, m.samples = stage, now, time.Time{}, total/logParts, []sample{{now, done}}
	}
	if last := m.samples[len(m.samples)-1]; now.Sub(last.at) >= time.Second {
		m.samples = append(m.samples, sample{now, done})
		for len(m.samples) > 2 && now.Sub(m.samples[1].at) > rateTime {
			m.samples = m.samples[1:]
		}
	}
	if m.due(now, done, total) {
		m.show(m.line(now, done, total))
		m.shown = now
	}
}

// progressOf takes how many tokens a verb has read, of a store whose size it does not know.
func (m *meter) progressOf(stage string, done int) {
	m.progress(importer.Stage(stage), done, 0)
}

// due reports whether it is time for a line.
func (m *meter) due(now time.Time, done, total int) bool {
	switch {
	case m.terminal:
		return now.Sub(m.shown) >= redraw || done == total
	case total == 0: // A store is being read.
		return now.Sub(m.began) >= rateTime && now.Sub(m.shown) >= rateTime
	case total < fewRows || done == 0:
		return false
	case done < m.next && (!m.shown.IsZero() || now.Sub(m.began) < time.Second):
		return false
	}
	m.next = (done*logParts/total + 1) * total / logParts
	return true
}

// line returns what is shown.
func (m *meter) line(now time.Time, done, total int) string {
	if total == 0 {
		return fmt.Sprintf("%s: %d so far", m.stage, done)
	}
	text := fmt.Sprintf("%s: %d of %d %s", m.stage, done, total, m.things)
	first := m.samples[0]
	took := now.Sub(first.at).Seconds()
	if done <= first.done || took <= 0 {
		return text
	}
	rate := float64(done-first.done) / took
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	return text + fmt.Sprintf(", %.*f a second, %v left", decimals(rate), rate, left)
}

// decimals returns how many decimals of a rate are shown.
func decimals(rate float64) int {
	if rate < 10 {
		return 1
	}
	return 0
}

func (m *meter) show(line string) {
	if !m.terminal {
		_, _ = fmt.Fprintln(m.w, line)
		return
	}
	if width := m.width(); width > 0 { // A wrapped line cannot be overwritten.
		line = line[:min(len(line), max(0, width-1-len(echoed)))]
	}
	_, _ = fmt.Fprint(m.w, "\r"+line+strings.Repeat(" ", max(0, m.length-len(line))))
	m.length = len(line)
}

// clear removes the line from a terminal, before something else is written.
func (m *meter) clear() {
	if m.length > 0 {
		_, _ = fmt.Fprint(m.w, "\r"+strings.Repeat(" ", m.length+len(echoed))+"\r")
		m.length = 0
	}
}
