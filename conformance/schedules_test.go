package conformance_test

import (
	"flag"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
)

var (
	fullSchedules = flag.Bool("schedules.full", false, "explore all pairs of operations from all starting states")
	switches      = flag.Int("schedules.switches", 2, "the most switches between two operations in one run; 0: any number")
	threes        = flag.Int("schedules.threes", 500, "number of random interleavings of three operations")
)

func TestSchedulesEntries(t *testing.T) {
	schedules(t, tokenstore.WithEntries())
}

func TestSchedulesDocument(t *testing.T) {
	schedules(t, tokenstore.WithDocument(1))
}

func TestSchedulesDocument16(t *testing.T) {
	schedules(t, tokenstore.WithDocument(16))
}

func schedules(t *testing.T, form tokenstore.Option) {
	t.Parallel()
	conformance.Schedules(t, func(secrets driver.Secrets, options ...tokenstore.Option) (*tokenstore.SecretStore, error) {
		return tokenstore.NewSecretStore(secrets, append(options, form)...)
	}, conformance.ScheduleOptions{Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1})
}
