package secretstore

import (
	"strings"
	"testing"
)

// TestAgeCountsSleep reads the age of an attempt off the clock on the wall: the
// monotonic one stands still while a machine is suspended.
func TestAgeCountsSleep(t *testing.T) {
	if started := NewMemory().attempt().started.String(); strings.Contains(started, "m=") {
		t.Errorf("an attempt began at %s, by the monotonic clock", started)
	}
}
