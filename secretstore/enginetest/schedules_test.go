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

// TestSchedulesEntriesWithoutAccess uses entries without access tokens, where one process in
// two indexes them all the same.
func TestSchedulesEntriesWithoutAccess(t *testing.T) {
	schedules(t, secretstore.WithEntries(), func(o *enginetest.ScheduleOptions) {
		o.WithoutAccessIndex = true
		o.Own = func(process string) []secretstore.Option {
			if process == "p1" {
				return []secretstore.Option{secretstore.WithAccessIndex()}
			}
			return []secretstore.Option{secretstore.WithoutAccessIndex()}
		}
	})
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

// TestSchedulesRotating uses an index that leaves refresh tokens out, by options of all
// processes, or only of those that created it.
func TestSchedulesRotating(t *testing.T) {
	for name, own := range map[string]func(process string) bool{
		"all":    func(string) bool { return true },
		"others": func(process string) bool { return process[0] == 's' },
		"one":    func(process string) bool { return process[0] == 's' || process == "p1" },
		"none":   func(string) bool { return false },
	} {
		if !long && (name == "all" || name == "others") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			schedules(t, secretstore.WithDocument(1), func(o *enginetest.ScheduleOptions) {
				o.Rotating = true
				o.Own = func(process string) []secretstore.Option {
					if own(process) {
						return []secretstore.Option{secretstore.WithRotating()}
					}
					return nil
				}
			})
		})
	}
}

func schedules(t *testing.T, form secretstore.Option, more ...func(*enginetest.ScheduleOptions)) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	options := enginetest.ScheduleOptions{Full: *fullSchedules, Switches: *switches, Threes: *threes, Seed: 1}
	for _, set := range more {
		set(&options)
	}
	enginetest.Schedules(t, func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error) {
		return secretstore.New(secrets, append(options, form)...)
	}, options)
}
