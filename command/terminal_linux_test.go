// What the command does on a real terminal: a pseudo-terminal of the kernel's, which echoes
// what is typed unless the command turns that off.

package command

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a terminal and what is shown on it.
type screen struct {
	t      *testing.T
	person *os.File // where a person types and reads
	tty    *os.File // what the command gets

	mu    sync.Mutex
	shown bytes.Buffer
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, person: person, tty: tty}
	t.Cleanup(func() { _, _ = tty.Close(), person.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := person.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// waitFor waits until the screen shows a text.
func (s *screen) waitFor(text string) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(s.text(), text) {
			return true
		}
	}
	s.t.Errorf("the screen does not show %q:\n%s", text, s.text())
	return false
}

// run runs the command on the terminal. For each pair, it waits for the first text, and
// types the second and Enter. It returns the exit code and what went to standard output,
// which is no terminal.
func (s *screen) run(args []string, dialogue ...[2]string) (code int, stdout string) {
	s.t.Helper()
	var out bytes.Buffer
	done := make(chan int)
	go func() { done <- Command{Stdin: s.tty, Stdout: &out, Stderr: s.tty}.Run(s.t.Context(), args) }()
	for _, d := range dialogue {
		if !s.waitFor(d[0]) {
			break
		}
		if _, err := s.person.WriteString(d[1] + "\n"); err != nil {
			s.t.Error(err)
		}
	}
	select {
	case code = <-done:
	case <-time.After(10 * time.Second):
		s.t.Fatalf("the command does not end:\n%s", s.text())
	}
	return code, out.String()
}

func TestDeleteAsksOnATerminal(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	for _, answer := range []string{"no", "", "y", "YES"} {
		s := newScreen(t)
		code, out := s.run([]string{"delete", at, "1"}, [2]string{"Delete 1 token? This cannot be undone. Type yes to go on: ", answer})
		if code != exitFault || out != "" || !s.waitFor("not confirmed; nothing was changed") || !strings.Contains(s.text(), "user1") {
			t.Errorf("%q: exit code %d\n%s%s", answer, code, out, s.text())
		}
	}
	holds(t, store, "1", "2")
	s := newScreen(t)
	code, out := s.run([]string{"delete", at, "1"}, [2]string{"Type yes to go on: ", "yes"})
	if code != exitOK || !strings.Contains(out, "1 token: 1 deleted") || strings.Contains(s.text(), "fake-refresh") {
		t.Errorf("exit code %d\n%s%s", code, out, s.text())
	}
	holds(t, store, "2")
}
