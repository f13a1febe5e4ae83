// How Processes and Kill start the test's own binary again and talk to it.

package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// OpenDir opens the store in a folder, and creates it if the folder is empty. Several
// processes call it with the same folder.
type OpenDir func(ctx context.Context, dir string) (tokenstore.Store, error)

// A worker is the test's own binary, started again for the same test with these variables
// in its environment.
const (
	workerRole   = "TOKENSTORE_CONFORMANCE_ROLE"
	workerDir    = "TOKENSTORE_CONFORMANCE_DIR"
	workerNumber = "TOKENSTORE_CONFORMANCE_NUMBER"
	workerCount  = "TOKENSTORE_CONFORMANCE_COUNT"

	// longRuns asks for long runs of Processes and Kill.
	longRuns = "TOKENSTORE_LONG"

	// workerPrefix is the prefix of the lines that a worker writes for its parent; all
	// other output comes from package testing.
	workerPrefix  = "tokenstore-worker "
	findingPrefix = "finding "
)

// long reports whether long runs are asked for.
func long() bool { return os.Getenv(longRuns) != "" }

// asWorker does nothing unless this process is a worker. In a worker of this role it runs
// work; in one of another role it does not. Both times it ends the test.
func asWorker(t *testing.T, role string, open OpenDir, work func(w *worker)) {
	t.Helper()
	mine := os.Getenv(workerRole)
	if mine == "" {
		return
	}
	if mine == role {
		w := &worker{dir: os.Getenv(workerDir), gone: make(chan struct{})}
		w.number, _ = strconv.Atoi(os.Getenv(workerNumber))
		w.count, _ = strconv.Atoi(os.Getenv(workerCount))
		w.trial = newTrial(t.Context(), role)
		inGoroutine(func() { w.run(open, work) }, w.trial.panicked)
		for _, f := range w.trial.findings {
			w.tell("%s%s", findingPrefix, strconv.Quote(f.Detail+" (the rule: "+f.Rule+")"))
		}
		w.tell("done")
	}
	t.SkipNow()
}

// newTrial returns a trial that only collects findings; its store is set later.
func newTrial(ctx context.Context, name string) *trial {
	return caseTrial(ctx, newSettings(nil), name, ruleHandles)
}

// worker is this process as a worker.
type worker struct {
	trial         *trial
	dir           string
	number, count int
	gone          chan struct{} // Closed when the parent is gone.
}

// run opens the store, waits for the parent's signal, and works.
func (w *worker) run(open OpenDir, work func(*worker)) {
	defer w.trial.closeAll()
	w.trial.openDir(open, w.dir)
	w.tell("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(w.gone)
	}()
	work(w)
}

// openDir opens the store of a folder as the trial's store.
func (t *trial) openDir(open OpenDir, dir string) {
	store, err := open(t.ctx, dir)
	t.must("open the store", err)
	t.closes(store)
	t.store = &handle{store: store, trial: t}
}

// tell writes one line for the parent, in a single write.
func (w *worker) tell(format string, args ...any) {
	_, _ = os.Stdout.WriteString(workerPrefix + fmt.Sprintf(format, args...) + "\n")
}

// child is a worker as its parent sees it.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// lines yields the complete lines that it writes. It is closed when the worker ends.
	lines chan string
}

// startWorker starts the test's own binary as a worker. It is killed at the end of the
// test if it is still running.
func startWorker(t *testing.T, role, dir string, number, count int) *child {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal("find the test's binary:", err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run="+onlyTest(t.Name()), "-test.count=1") // #nosec G204 -- its own binary.
	cmd.Env = append(os.Environ(), workerRole+"="+role, workerDir+"="+dir,
		workerNumber+"="+strconv.Itoa(number), workerCount+"="+strconv.Itoa(count))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal("start a worker:", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal("start a worker:", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal("start a worker:", err)
	}
	c := &child{cmd: cmd, stdin: stdin, lines: make(chan string, 1024)}
	go c.read(stdout)
	return c
}

// onlyTest returns the pattern that selects the test of this name.
func onlyTest(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// read passes on the complete lines that the worker writes, until it ends.
func (c *child) read(stdout io.Reader) {
	defer close(c.lines)
	r := bufio.NewReader(stdout)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if told, ok := strings.CutPrefix(line, workerPrefix); ok {
			c.lines <- strings.TrimSuffix(told, "\n")
		}
	}
}

// findingOf returns the finding that a worker reports in a line.
func findingOf(told string) (detail string, ok bool) {
	quoted, ok := strings.CutPrefix(told, findingPrefix)
	if !ok {
		return "", false
	}
	if detail, err := strconv.Unquote(quoted); err == nil {
		return detail, true
	}
	return quoted, true
}

// begin signals the worker to begin.
func (c *child) begin() { _, _ = io.WriteString(c.stdin, "begin\n") }

// wait waits for the worker to end. All its lines must have been read.
func (c *child) wait() error {
	_ = c.stdin.Close()
	return c.cmd.Wait()
}
