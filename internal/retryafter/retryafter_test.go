package retryafter

import (
	"net/http"
	"testing"
	"time"
)

// TestTime: both forms are understood, and nonsense names no time.
func TestTime(t *testing.T) {
	now := time.Date(2025, 11, 23, 12, 0, 0, 0, time.UTC)
	for after, want := range map[string]time.Time{
		"0":                             now,
		"120":                           now.Add(2 * time.Minute),
		"Sun, 23 Nov 2025 12:03:00 GMT": now.Add(3 * time.Minute),
		"Sun, 23 Nov 2036 12:03:00 GMT": now.Add(24 * time.Hour),
		"90000":                         now.Add(24 * time.Hour),
		"":                              {},
		"-1":                            {},
		"1.5":                           {},
		"soon":                          {},
		"99999999999999999999":          {},
	} {
		if got := Time(http.Header{"Retry-After": {after}}, now); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", after, got, want)
		}
	}
}
