// What the command does on a real terminal: a pseudo-terminal of the kernel's, which echoes
// what is typed unless the command turns that off.

package command

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
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

// columns sets the width of the terminal.
func (s *screen) columns(n uint16) {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: n}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// waitFor waits until the screen shows a text.
func (s *screen) waitFor(text string) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
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
	go func() { done <- Command{Stdin: s.tty, Stdout: &out, Stderr: s.tty, work: 2}.Run(s.t.Context(), args) }()
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
	case <-time.After(time.Minute):
		s.t.Fatalf("the command does not end:\n%s", s.text())
	}
	return code, out.String()
}

func TestDeleteAsksOnATerminal(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	for _, answer := range []string{"no", "", "y", "YES"} {
		s := newScreen(t)
		code, out := s.run([]string{"delete", at, "1"}, [2]string{"Delete 1 token? Only a backup brings it back, or undelete where the service keeps it. Type yes to go on: ", answer})
		if code != exitFault || out != "" || !s.waitFor("not confirmed; nothing was changed") || !strings.Contains(s.text(), "user1") {
			t.Errorf("%q: exit code %d\n%s%s", answer, code, out, s.text())
		}
	}
	s := newScreen(t)
	if code, _ := s.run([]string{"revoke", at, "1"}, [2]string{"Revoke and delete 1 token? This cannot be undone. Type yes to go on: ", "no"}); code != exitFault {
		t.Errorf("revoke: exit code %d\n%s", code, s.text())
	}
	holds(t, store, "1", "2")
	s = newScreen(t)
	code, out := s.run([]string{"delete", at, "1"}, [2]string{"Type yes to go on: ", "yes"})
	if code != exitOK || !strings.Contains(out, "1 token: 1 deleted") || strings.Contains(s.text(), "fake-refresh") {
		t.Errorf("exit code %d\n%s%s", code, out, s.text())
	}
	holds(t, store, "2")
}

// TestATerminalCutsNothing: the kernel keeps 4095 bytes of a line, and drops the rest without a
// word.
func TestATerminalCutsNothing(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	for length, want := range map[int]int{4094: exitOK, 4095: exitUsage, 6000: exitUsage} {
		s := newScreen(t)
		code, out := s.run([]string{"set", at, "1", "access_token"}, [2]string{"access_token: ", strings.Repeat("a", length)})
		if code != want || want != exitOK && !s.waitFor("redirect a file that holds it") {
			t.Errorf("%d bytes: exit code %d, want %d\n%s%s", length, code, want, out, s.text())
		}
		if got := len(token(t, store, "1").AccessToken); want == exitOK && got != length || got > 4094 {
			t.Errorf("%d bytes: %d are stored", length, got)
		}
	}
}

// TestNothingThatWasPastedIsLeftToTheShell: a credential that was wrapped is no credential, and
// its second line would be a command that the shell runs and remembers.
func TestNothingThatWasPastedIsLeftToTheShell(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	for pasted, want := range map[string]int{
		"fake-refresh-first\nfake-refresh-second\nfake-refresh-third": exitUsage, // and Enter
		"fake-refresh-first\n\n":                                    exitOK,
		strings.Repeat("a", 3000) + "\n" + strings.Repeat("b", 900): exitUsage,
	} {
		s := newScreen(t)
		code, out := s.run([]string{"set", at, "1", "refresh_token"}, [2]string{"refresh_token: ", pasted})
		if code != want || want != exitOK && !s.waitFor("the refresh_token must be one line") {
			t.Errorf("exit code %d, want %d\n%s%s", code, want, out, s.text())
		}
		if left, err := unix.IoctlGetInt(int(s.tty.Fd()), unix.TIOCINQ); err != nil || left != 0 {
			t.Errorf("%d bytes are left to the shell, %v", left, err)
		}
		mode, err := unix.IoctlGetTermios(int(s.tty.Fd()), getTermios)
		if err != nil || mode.Lflag&unix.ECHO == 0 || mode.Lflag&unix.ICANON == 0 || mode.Cc[unix.VMIN] != 1 {
			t.Errorf("the mode of the terminal is not what it was: %+v, %v", mode, err)
		}
		if strings.Contains(s.text(), "fake-refresh") {
			t.Errorf("it is shown:\n%s", s.text())
		}
		if got := token(t, store, "1").RefreshToken; (got == "fake-refresh1") != (want == exitUsage) {
			t.Errorf("exit code %d, and the token is set: %v", code, got != "fake-refresh1")
		}
		if _, err := store.SaveToken(t.Context(), numbered("1")[0]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeleteAllWantsTheNumberTyped on a terminal.
func TestDeleteAllWantsTheNumberTyped(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	for _, answer := range []string{"yes", "", "3", "22", "2"} {
		s := newScreen(t)
		s.columns(60)
		code, out := s.run([]string{"delete-all", at}, [2]string{"Delete all 2 tokens of kept:? Only a backup brings them back, or undelete where the service keeps them. Type the number of tokens to go on: ", answer})
		if answer == "2" {
			if code != exitOK || !strings.Contains(out, "2 tokens: 2 deleted") {
				t.Errorf("%q: exit code %d\n%s%s", answer, code, out, s.text())
			}
			break
		}
		if code != exitFault || out != "" || !s.waitFor("not confirmed; nothing was changed") {
			t.Errorf("%q: exit code %d\n%s%s", answer, code, out, s.text())
		}
		holds(t, store, "1", "2")
	}
	holds(t, store)
}

// TestPutTakesNoTokenFromATerminal, which would show it.
func TestPutTakesNoTokenFromATerminal(t *testing.T) {
	at, store := kept(t, nil, numbered("1")...)
	s := newScreen(t)
	if code, out := s.run([]string{"put", at}); code != exitUsage || out != "" || !s.waitFor("redirect a file") {
		t.Errorf("exit code %d\n%s%s", code, out, s.text())
	}
	holds(t, store, "1")
}

// TestAStoreAsksForItsPassword, once, without echo, and only on a terminal.
func TestAStoreAsksForItsPassword(t *testing.T) {
	secrets := memory.New()
	opened := 0
	tokenstore.Register("locked", func(ctx context.Context, _ *url.URL) (tokenstore.OpenStore, error) {
		opened++
		switch password, err := tokenstore.Ask(ctx, "password of app at db"); {
		case err != nil:
			return nil, err
		case password != "fake-access-password":
			return nil, &tokenstore.Error{Op: "open", Kind: tokenstore.ErrDenied}
		}
		return secretstore.New(secrets)
	})
	tokenstore.Describe("locked", tokenstore.Usage{Example: "locked:", ReadOnly: true})
	store, err := secretstore.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SaveToken(t.Context(), numbered("1")[0]); err != nil {
		t.Fatal(err)
	}
	s := newScreen(t)
	code, out := s.run([]string{"delete", "locked:", "1"}, [2]string{"password of app at db: ", "fake-access-password"}, [2]string{"Type yes to go on: ", "yes"})
	if code != exitOK || !strings.Contains(out, "1 deleted") || opened != 2 || strings.Count(s.text(), "password of app") != 1 || strings.Contains(s.text(), "fake-access-password") {
		t.Errorf("exit code %d, opened %d times\n%s%s", code, opened, out, s.text())
	}
	s = newScreen(t)
	if code, out := s.run([]string{"list", "locked:"}, [2]string{"password of app at db: ", "fake-access-wrong"}); code != exitFault || out != "" || !s.waitFor("denied") {
		t.Errorf("a wrong one: exit code %d\n%s%s", code, out, s.text())
	}
	if code, _, errs := try(t, "fake-access-password\n", "list", "locked:"); code != exitFault || strings.Contains(errs, "password") {
		t.Errorf("without a terminal: exit code %d\n%s", code, errs)
	}
}

// TestSetDoesNotEcho what is typed, and asks before it changes all tokens of a client.
func TestSetDoesNotEcho(t *testing.T) {
	at, store := kept(t, nil, numbered("1", "2")...)
	s := newScreen(t)
	code, out := s.run([]string{"set", at, "1", "refresh_token"}, [2]string{"refresh_token: ", "fake-refresh-typed"})
	if code != exitOK || !strings.Contains(out, "1 set") || strings.Contains(s.text(), "fake-refresh") {
		t.Errorf("exit code %d\n%s%s", code, out, s.text())
	}
	if token(t, store, "1").RefreshToken != "fake-refresh-typed" {
		t.Error("it is not set")
	}
	for _, answer := range []string{"no", "yes"} {
		s := newScreen(t)
		code, out := s.run([]string{"set", at, "client_secret", "--client", "CLIENTAAAA"},
			[2]string{"client_secret: ", "cs-fake-typed"}, [2]string{"Set the client_secret of 2 tokens of this client? Type yes to go on: ", answer})
		set := token(t, store, "2").ClientSecret == "cs-fake-typed"
		if (code == exitOK) != (answer == "yes") || set != (answer == "yes") || strings.Contains(s.text(), "cs-fake") {
			t.Errorf("%s: exit code %d\n%s%s", answer, code, out, s.text())
		}
	}
}

// TestGetRevealsToAPerson who sees the terminal and says yes.
func TestGetRevealsToAPerson(t *testing.T) {
	at, _ := kept(t, nil, numbered("1")...)
	for _, answer := range []string{"no", "yes"} {
		s := newScreen(t)
		done := make(chan int)
		go func() {
			done <- Command{Stdin: s.tty, Stdout: s.tty, Stderr: s.tty}.Run(t.Context(), []string{"get", at, "1", "--reveal", "refresh_token"})
		}()
		s.waitFor("Show the refresh_token of token 1 on this screen? Type yes to go on: ")
		if _, err := s.person.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
		code := <-done
		if answer == "yes" {
			s.waitFor("fake-refresh1")
		} else {
			s.waitFor("nothing was changed")
		}
		if (code == exitOK) != (answer == "yes") || strings.Contains(s.text(), "fake-refresh1") != (answer == "yes") {
			t.Errorf("%s: exit code %d\n%s", answer, code, s.text())
		}
	}
	for id, says := range map[string]string{"1": "not found: the token has no grant_token", "2": "not found"} {
		s := newScreen(t)
		if code := (Command{Stdin: s.tty, Stdout: s.tty, Stderr: s.tty}).Run(t.Context(), []string{"get", at, id, "--reveal", "grant_token"}); code != exitNotFound || !s.waitFor(says) {
			t.Errorf("nothing to show: exit code %d\n%s", code, s.text())
		}
	}
	s := newScreen(t)
	if code, out := s.run([]string{"get", at, "1", "--reveal", "refresh_token"}); code != exitUsage || out != "" || !s.waitFor("on a terminal only") {
		t.Errorf("into a pipe: exit code %d\n%s", code, out)
	}
}

// TestTablesFitTheTerminal: a table that is too wide is stacked; in a pipe it never is, and
// nowhere is there a colour.
func TestTablesFitTheTerminal(t *testing.T) {
	at, _ := kept(t, nil, expiring()...)
	for columns, stacked := range map[uint16]bool{60: true, 120: false, 0: false} {
		s := newScreen(t)
		s.columns(columns)
		done := make(chan int)
		go func() {
			done <- Command{Stdin: s.tty, Stdout: s.tty, Stderr: s.tty}.Run(t.Context(), []string{"list", at})
		}()
		if code := <-done; code != exitOK || !s.waitFor("user4") {
			t.Fatal(code)
		}
		s.waitFor("access_token\r\n")
		text := strings.ReplaceAll(s.text(), "\r\n", "\n")
		if strings.Contains(text, "USER        user4\n") != stacked || strings.Contains(text, "ID  USER") == stacked || strings.Contains(text, "\x1b") {
			t.Errorf("%d columns:\n%s", columns, text)
		}
	}
	if _, out, _ := try(t, "", "list", at); !strings.HasPrefix(out, "ID  USER") {
		t.Errorf("in a pipe:\n%s", out)
	}
}

// TestABackupAsksForItsPassphrase twice, and restore once, without echo.
func TestABackupAsksForItsPassphrase(t *testing.T) {
	t.Chdir(t.TempDir())
	at, store := kept(t, nil, numbered("1")...)
	const typed, twice = "fake-refresh passphrase", "passphrase again: "
	for again, code := range map[string]int{"fake-refresh slip": exitUsage, typed: exitOK} {
		s := newScreen(t)
		if got, out := s.run([]string{"backup", at, "tokens.backup"}, [2]string{"passphrase: ", typed}, [2]string{twice, again}); got != code || strings.Contains(s.text(), "fake-refresh") {
			t.Errorf("exit code %d, want %d\n%s%s", got, code, out, s.text())
		}
		if _, err := os.Stat("tokens.backup"); (err == nil) != (code == exitOK) {
			t.Errorf("exit code %d, and the file: %v", code, err)
		}
		if code == exitOK {
			if err := os.Rename("tokens.backup", "done.backup"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := store.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	for passphrase, code := range map[string]int{"fake-refresh wrong": exitFault, typed: exitOK} {
		s := newScreen(t)
		if got, out := s.run([]string{"restore", "done.backup", at}, [2]string{"passphrase of the backup: ", passphrase}); got != code || strings.Contains(s.text(), "fake-refresh") {
			t.Errorf("exit code %d, want %d\n%s%s", got, code, out, s.text())
		}
	}
	holds(t, store, "1")
}

// TestABackupWithoutEncryptionAsks, and never goes to a screen.
func TestABackupWithoutEncryptionAsks(t *testing.T) {
	t.Chdir(t.TempDir())
	at, _ := kept(t, nil, numbered("1")...)
	for _, answer := range []string{"no", "yes"} {
		s := newScreen(t)
		code, out := s.run([]string{"backup", at, "tokens.backup", "--plain"}, [2]string{"not encrypted? Type yes to go on: ", answer})
		if _, err := os.Stat("tokens.backup"); (code == exitOK) != (answer == "yes") || (err == nil) != (answer == "yes") {
			t.Errorf("%s: exit code %d, %v\n%s%s", answer, code, err, out, s.text())
		}
	}
	s := newScreen(t)
	code := Command{Stdin: s.tty, Stdout: s.tty, Stderr: s.tty}.Run(t.Context(), []string{"backup", at, "-", "--plain", "--yes"})
	if code != exitUsage || !s.waitFor("standard output is a terminal") || strings.Contains(s.text(), "fake-refresh") {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
	if code, _ := s.run([]string{"restore", "-", at}); code != exitUsage || !s.waitFor("standard input is a terminal") {
		t.Errorf("exit code %d\n%s", code, s.text())
	}
}
