package secretstore

import (
	"strings"
	"testing"
)

// TestAgeCountsSleep checks that the age of an attempt comes from the wall clock: the
// monotonic clock stops while a machine is suspended.
func TestAgeCountsSleep(t *testing.T) {
	if started := NewMemory().attempt().started.String(); strings.Contains(started, "m=") {
		t.Errorf("an attempt began at %s, by the monotonic clock", started)
	}
}
