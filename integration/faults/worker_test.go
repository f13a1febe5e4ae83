package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
)

// envOrders holds the orders of a process of a fleet, as JSON.
const envOrders = "TOKENSTORE_TEST_FLEET"

// clientsEach is the number of clients in one process.
const clientsEach = 4

// orders are the instructions for a process.
type orders struct {
	Access  access
	Process int // 0, 1, …
	Life    int // 0 for the first process of this number, 1 for the one after its death, …
	// Races is when the fleet began: all clients save the same new tokens at the same
	// multiples of Period after it.
	Races  time.Time
	Period time.Duration
}

func TestMain(m *testing.M) {
	if text := os.Getenv(envOrders); text != "" {
		if err := obey(text); err != nil {
			fmt.Println("finding " + strconv.Quote(err.Error()))
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(need.Main(m))
}

// worker is this process as a member of a fleet.
type worker struct {
	orders
	stores []*secretstore.Store
	stop   chan struct{} // closed to end the work

	mu     sync.Mutex
	counts map[string]int // of calls and errors, by kind
}

// obey works until standard input ends.
func obey(text string) error {
	w := &worker{stop: make(chan struct{}), counts: map[string]int{}}
	if err := json.Unmarshal([]byte(text), &w.orders); err != nil {
		return err
	}
	stores, err := w.Access.open(clientsEach)
	if err != nil {
		return err
	}
	w.stores = stores
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(w.stop)
	}()
	w.tell("ready")
	var running sync.WaitGroup
	for c := range w.stores {
		running.Go(func() { w.client(c) })
	}
	go w.measure()
	running.Wait()
	for what, n := range w.counts {
		w.tell("count %d %s", n, what)
	}
	w.tell("done")
	return nil
}

// tell writes one line for the parent, in a single call.
func (w *worker) tell(format string, args ...any) {
	_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n")
}

// finds reports a violation.
func (w *worker) finds(format string, args ...any) {
	w.tell("finding %s", strconv.Quote(fmt.Sprintf("process %d: ", w.Process)+fmt.Sprintf(format, args...)))
}

func (w *worker) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *worker) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// measure reports the memory in use, every few seconds.
func (w *worker) measure() {
	for {
		select {
		case <-w.stop:
			return
		case <-time.After(3 * time.Second):
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.tell("memory %d %d %d", m.HeapAlloc, resident(), runtime.NumGoroutine())
	}
}

// resident returns the bytes of memory that the system counts for this process, or zero
// if it does not say.
func resident() int64 {
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		return 0
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	if f := strings.Fields(line); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}

// patience is how long a call may fail with retryable errors: far longer than any
// outage in a test, even on a busy machine.
const patience = 5 * time.Minute

// insist retries a call until it succeeds or fails with an error that is not retryable,
// which it returns. Every error must be typed, be right about being retryable, and hold
// no credential. Sometimes the caller itself gives up early, and retries the call
// later.
func (w *worker) insist(op string, do func(context.Context) error) error {
	begun := time.Now()
	for try := 1; ; try++ {
		ctx, cancel := w.hasty(try)
		err := do(ctx)
		mine := ended(ctx) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
		cancel()
		w.count(op + ": " + kindOf(err, mine))
		switch {
		case err == nil:
			return nil
		case quoted(err):
			w.finds("%s: the error holds a credential", op)
			return err
		case mine && tokenstore.Retryable(err):
			w.finds("%s: the error of the caller's own context says that the call may be repeated: %v", op, err)
		case mine:
		case tokenstore.Kind(err) == nil:
			w.finds("%s: an error without a kind: %v", op, err)
			return err
		case !tokenstore.Retryable(err):
			return err
		case time.Since(begun) > patience:
			w.finds("%s: after %d tries the error still says that the call may be repeated: %v", op, try, err)
			return err
		}
		pause(try)
	}
}

// hasty returns a context that ends early, for one in sixteen first tries.
func (w *worker) hasty(try int) (context.Context, context.CancelFunc) {
	if try == 1 && chance(1, 16) {
		return context.WithTimeout(context.Background(), randomTime(200*time.Millisecond))
	}
	return context.WithCancel(context.Background())
}

// kindOf names the result of a call, for the counts.
func kindOf(err error, mine bool) string {
	switch {
	case err == nil:
		return "ok"
	case mine:
		return "the caller's own context"
	case tokenstore.Kind(err) == nil:
		return "another error"
	}
	return tokenstore.Kind(err).Error()
}
