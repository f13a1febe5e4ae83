package vault

import (
	"strconv"
	"testing"
	"time"
)

// TestMarks: old marks are returned once, a few at a time, young ones are not.
func TestMarks(t *testing.T) {
	m := newMarks()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(age time.Duration) revision { return revision{1, now.Add(-age).Format(time.RFC3339Nano)} }
	for i := range 5 {
		m.add("old-"+strconv.Itoa(i), at(2*time.Hour))
	}
	m.add("young", at(time.Minute))
	total := 0
	for _, want := range []int{2, 2, 1, 0, 0} {
		taken := m.takeOld(now.Add(-time.Hour), 2)
		if len(taken) != want {
			t.Errorf("%d marks instead of %d", len(taken), want)
		}
		total += len(taken)
		if _, ok := taken["young"]; ok {
			t.Error("a young mark was taken")
		}
	}
	if total != 5 || !m.has("young") || m.has("old-1") {
		t.Errorf("%d marks", total)
	}
	if got := m.takeOld(now, 2); len(got) != 1 {
		t.Errorf("%d marks after an hour", len(got))
	}
}
