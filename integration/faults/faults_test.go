package faults

import (
	"flag"
	"testing"
	"time"

	"example.com/tokenstore/integration/internal/faultproxy"
)

var (
	faultTime = flag.Duration("faults.time", 20*time.Second, "how long the tests of faults and of killed processes go on, on each server")
	soakTime  = flag.Duration("faults.soak", 2*time.Minute, "how long TestSoak goes on; 30m by hand")
)

var servers = []string{"localstack", "vault"}

// onEach runs a plan on each server, on both concurrently.
func onEach(t *testing.T, plan func(server string) plan) {
	for _, server := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			plan(server).run(t, newSite(t, server))
		})
	}
}

// weather is the network weather of a fleet's links.
func weather(server string) [processes]faultproxy.Weather {
	resets := faultproxy.Weather{Latency: 2 * time.Millisecond, Jitter: 2 * time.Millisecond, ResetBefore: 0.03, ResetAfter: 0.03}
	slow := faultproxy.Weather{Latency: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Rate: 200}
	silent := faultproxy.Weather{Latency: 5 * time.Millisecond, Jitter: 4 * time.Millisecond, Silence: 0.01, SilentFor: 3 * time.Second, ResetAfter: 0.02}
	late := faultproxy.Weather{ResetBefore: 0.01, ResetAfter: 0.01, Late: 0.01, LateBy: clientTimeout + time.Second}
	if server == "localstack" {
		// A late move of AWSCURRENT to a replaced version takes the label off the
		// current one on LocalStack, but not on AWS (docs/aws.md).
		late.Late = 0
	}
	return [processes]faultproxy.Weather{resets, slow, silent, late}
}

// TestFaults has four processes with four clients each reach the server over bad links,
// with short outages of the server.
func TestFaults(t *testing.T) {
	onEach(t, func(server string) plan {
		return plan{time: *faultTime, weather: weather(server), outages: 7 * time.Second, period: 2 * time.Second}
	})
}

// TestKilledProcesses kills processes at random times, over good links.
func TestKilledProcesses(t *testing.T) {
	onEach(t, func(string) plan {
		return plan{time: *faultTime, kills: 500 * time.Millisecond, mortal: processes, period: time.Second}
	})
}

// TestSoak does both for longer, and checks the memory of the processes that are not
// killed.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	onEach(t, func(server string) plan {
		return plan{
			time: *soakTime, weather: weather(server), outages: 15 * time.Second,
			kills: 5 * time.Second, mortal: 1, period: 5 * time.Second, memory: true,
		}
	})
}
