package enginetest_test

import (
	"flag"
	"os"
	"testing"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/secretstore/enginetest"
)

var (
	fullSchedules = flag.Bool("schedules.full", false, "explore all pairs of operations from all starting states")
	switches      = flag.Int("schedules.switches", few(1, 2), "maximum number of switches between two operations in one run; 0 means any")
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
	schedules(t, secretstore.WithEntries())
}

func TestSchedulesDocument(t *testing.T) {
	schedules(t, secretstore.WithDocument(1))
}

// Sixteen documents need the most calls, and so have the most interleavings.
func TestSchedulesDocument16(t *testing.T) {
	if os.Getenv("TOKENSTORE_LONG") == "" {
		t.Skip("takes minutes; set TOKENSTORE_LONG=1 to run it (every run explores one document and entries)")
	}
	schedules(t, secretstore.WithDocument(16))
}

func schedules(t *testing.T, form secretstore.Option) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	enginetest.Schedules(t, func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
		return secretstore.New(secrets, append(options, form)...)
	}, enginetest.ScheduleOptions{Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1})
}
