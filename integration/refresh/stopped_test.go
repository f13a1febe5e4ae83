//go:build unix

// Stopping a process for certain: SIGSTOP takes a moment to reach all threads, and a process
// that is stopped while it holds a lock of SQLite's would stop the whole fleet.

package refresh

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settle waits until a process that was sent SIGSTOP stands still. One that holds the lock of a
// file goes on for a moment, and is stopped again.
func (f *fleet) settle(process int) {
	f.Helper()
	pid := f.members[process].cmd.Process.Pid
	const tries = 100
	for range tries {
		if !standsStill(pid) {
			f.Errorf("process %d does not stop", process)
			return
		}
		if !holdsLock(pid) {
			return
		}
		f.signal(process, syscall.SIGCONT)
		time.Sleep(time.Millisecond)
		f.signal(process, syscall.SIGSTOP)
	}
	f.Errorf("process %d held a lock whenever it was stopped", process)
}

// standsStill waits until all threads of a process are stopped. Where the system does not tell,
// it waits for long enough.
func standsStill(pid int) bool {
	for range 1000 {
		stats, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
		if len(stats) == 0 {
			time.Sleep(calm)
			return true
		}
		running := false
		for _, path := range stats {
			stat, err := os.ReadFile(path) // #nosec G304 -- the kernel's.
			// The state follows the name, which is in parentheses.
			_, state, _ := strings.Cut(string(stat), ") ")
			running = running || err == nil && !strings.HasPrefix(state, "T")
		}
		if !running {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// holdsLock reports whether a process holds the lock of a file, as far as the system tells. A
// line of /proc/locks is "1: POSIX ADVISORY WRITE pid …", with an arrow for one that waits.
func holdsLock(pid int) bool {
	locks, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		if words := strings.Fields(line); len(words) > 4 && words[4] == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}
