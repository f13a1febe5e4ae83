// Tests that the race detector leaves out.

package adaptertest

import "testing"

// OneAtATime skips a single-goroutine test with -short, as CI runs the race detector: the
// race detector finds nothing in such a test, and takes minutes.
func OneAtATime(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped with -short: uses a single goroutine")
	}
}
