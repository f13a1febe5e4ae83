package conformance_test

import (
	"flag"
	"os"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
)

var (
	fullSchedules = flag.Bool("schedules.full", false, "explore all pairs of operations from all starting states")
	switches      = flag.Int("schedules.switches", few(1, 2), "the most switches between two operations in one run; 0: any number")
	threes        = flag.Int("schedules.threes", few(200, 5000), "number of random interleavings of three operations")
)

// few returns the first number, or the second if TOKENSTORE_LONG is set.
func few(quick, long int) int {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return long
	}
	return quick
}

func TestSchedulesEntries(t *testing.T) {
	schedules(t, tokenstore.WithEntries())
}

func TestSchedulesDocument(t *testing.T) {
	schedules(t, tokenstore.WithDocument(1))
}

// Sixteen documents have the most calls, and so the most interleavings.
func TestSchedulesDocument16(t *testing.T) {
	if os.Getenv("TOKENSTORE_LONG") == "" {
		t.Skip("minutes; set TOKENSTORE_LONG=1 (one document and entries are explored in every run)")
	}
	schedules(t, tokenstore.WithDocument(16))
}

func schedules(t *testing.T, form tokenstore.Option) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	conformance.Schedules(t, func(secrets driver.Secrets, options ...tokenstore.Option) (*tokenstore.SecretStore, error) {
		return tokenstore.NewSecretStore(secrets, append(options, form)...)
	}, conformance.ScheduleOptions{Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1})
}
