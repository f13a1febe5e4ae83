//go:build unix

package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// asCommand, in the environment, makes the test program the command.
const asCommand = "TOKENSTORE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	tokenstore.Register("stuck", func(context.Context, *url.URL) (tokenstore.OpenStore, error) {
		return &stuck{secretstore.NewMemory()}, nil
	})
	tokenstore.Register("unmoved", func(ctx context.Context, _ *url.URL) (tokenstore.OpenStore, error) {
		_, _ = fmt.Fprintln(os.Stderr, "ignored:", signal.Ignored(os.Interrupt))
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return nil, err
		}
		return nil, neverAnswer(ctx)
	})
	tokenstore.Register("stuckopen", func(ctx context.Context, _ *url.URL) (tokenstore.OpenStore, error) {
		return nil, neverAnswer(ctx)
	})
	os.Exit(Command{}.Main())
}

// neverAnswer does not answer for a minute, although it is told to end.
func neverAnswer(ctx context.Context) error {
	_, _ = fmt.Fprintln(os.Stderr, "begun")
	<-ctx.Done()
	_, _ = fmt.Fprintln(os.Stderr, "told")
	time.Sleep(time.Minute)
	return ctx.Err()
}

// stuck is a store that answers never, and does not look at its context for a minute.
type stuck struct{ *secretstore.Store }

func (*stuck) FindTokenByID(ctx context.Context, _ string) (tokenstore.OAuthToken, error) {
	return tokenstore.OAuthToken{}, neverAnswer(ctx)
}

// TestASecondInterruptEndsTheCommand at once, whatever the first one has to wait for.
func TestASecondInterruptEndsTheCommand(t *testing.T) { interruptTwice(t, "", "get", "stuck:", "1") }

// TestASecondInterruptEndsEveryVerb that opens a store.
func TestASecondInterruptEndsEveryVerb(t *testing.T) {
	more := map[string][]string{
		"import": {"--to", "memory:"}, "compare": {"memory:"}, "find": {"--user", "u"}, "get": {"1"}, "set": {"1", "refresh_token"},
		"refresh": {"1"}, "revoke": {"1", "--yes"}, "delete": {"1", "--yes"}, "delete-all": {"--yes"}, "undelete": {"1"},
	}
	stdin := map[string]string{"put": `{"access_token": "a"}`, "set": "fake-refresh\n"}
	for _, name := range []string{
		"import", "list", "find", "get", "check", "reindex", "status", "compare", "set", "put", "refresh", "revoke", "delete", "delete-all", "undelete",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			interruptTwice(t, stdin[name], append([]string{name, "stuckopen:"}, more[name]...)...)
		})
	}
}

// TestAnInterruptThatIsIgnoredStaysSo: the background jobs of a script are started so.
// SIGTERM ends it as ever.
func TestAnInterruptThatIsIgnoredStaysSo(t *testing.T) {
	program := exec.CommandContext(t.Context(), "/bin/sh", "-c", `trap "" INT; exec "$0" get unmoved: 1`, os.Args[0]) // #nosec G204 -- this test itself.
	endTwice(t, program, syscall.SIGTERM, "ignored: true\n")
}

// interruptTwice runs the command as a process, interrupts it when it has begun, and again
// when it has been told to end.
func interruptTwice(t *testing.T, stdin string, args ...string) {
	t.Helper()
	program := exec.CommandContext(t.Context(), os.Args[0], args...) // #nosec G204 -- this test itself.
	program.Stdin = strings.NewReader(stdin)
	endTwice(t, program, syscall.SIGINT)
}

// endTwice starts the command, and sends it a signal when it has begun, and again when it has
// been told to end. Before it begins, it says what is wanted.
func endTwice(t *testing.T, program *exec.Cmd, ends syscall.Signal, says ...string) {
	t.Helper()
	program.Env = append(os.Environ(), asCommand+"=1")
	stderr, err := program.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	// A signal that this test was started to ignore would be ignored by the program too; one
	// that it catches is not.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, ends)
	err = program.Start()
	signal.Stop(caught)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	for _, want := range append(says, "begun\n", "told\n") {
		line, err := lines.ReadString('\n')
		if err != nil || line != want {
			_ = program.Process.Kill()
			t.Fatalf("it says %q, want %q: %v", line, want, err)
		}
		if slices.Contains(says, line) {
			continue
		}
		if err := program.Process.Signal(ends); err != nil {
			t.Fatal(err)
		}
	}
	// The default action of the signal is restored right after the context has ended. One that
	// comes before that has no effect, so there may have to be another.
	done := make(chan error, 1)
	go func() { done <- program.Wait() }()
	for waiting := true; waiting; {
		select {
		case err = <-done:
			waiting = false
		case <-time.After(100 * time.Millisecond):
			_ = program.Process.Signal(ends)
		}
	}
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		t.Fatalf("it ended with %v", err)
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != ends {
		t.Errorf("it ended by itself: %v", err)
	}
}

// TestMainRunsTheArguments of the process.
func TestMainRunsTheArguments(t *testing.T) {
	program := exec.CommandContext(t.Context(), os.Args[0], "--version") // #nosec G204 -- this test itself.
	program.Env = append(os.Environ(), asCommand+"=1")
	out, err := program.Output()
	if err != nil || !strings.HasPrefix(string(out), "tokenstore ") {
		t.Errorf("%q, %v", out, err)
	}
}
