package adaptertest

import "testing"

// OneAtATime leaves a test out with -short, with which CI runs the race detector:
// it has nothing to say about what one goroutine does at a time, and makes minutes
// of it.
func OneAtATime(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("with -short, what one goroutine does at a time is left out")
	}
}
