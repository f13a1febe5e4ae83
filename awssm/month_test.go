package awssm_test

import (
	"testing"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

const loadedEachDay = 250 // tokens, at the start of the month

// TestMonth runs 1,000 tokens through a month under the real quotas. The whole
// month needs TOKENSTORE_LONG=1; else it is one day, with a refresh every twelve
// hours.
func TestMonth(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	days, every := adaptertest.DaysOfMonth()
	clock := awssmtest.NewClock()
	service := awssmtest.New(awssmtest.Real(), clock)
	process := func(options ...awssm.Option) *secretstore.Store {
		store, err := awssm.New(service, append(options, awssm.WithClock(clock.Now, clock.Sleep))...)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	m := &adaptertest.Month{T: t, Clock: clock, Store: process(awssm.WithFanout(16))}
	for range adaptertest.TokensKept {
		m.Insert()
		clock.Advance(adaptertest.Day / loadedEachDay)
	}
	calls, secrets := sum(service.Calls()), service.SecretTime()
	for range days {
		m.Day(every)
	}
	m.Verify(process())
	months := float64(days) / adaptertest.BilledDays
	kept := float64(service.SecretTime()-secrets) / float64(adaptertest.BilledDays*adaptertest.Day) / months
	made := float64(sum(service.Calls())-calls) / months
	t.Logf("%d days of %d tokens: %.1f secrets, $%.2f a month; %.0f calls, $%.2f a month",
		days, adaptertest.TokensKept, kept, kept*costs.AWS.Stored, made, made*costs.AWS.PerCall)
	if kept > 1.02*adaptertest.TokensKept {
		t.Errorf("%.1f secrets for %d tokens", kept, adaptertest.TokensKept)
	}
}

// sum returns how many calls there were.
func sum(calls map[string]int) (all int) {
	for _, n := range calls {
		all += n
	}
	return all
}
