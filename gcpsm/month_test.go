package gcpsm_test

import (
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

const mostBilled = 2 // versions of a token at any time

// month is a company's tokens over a month on the server's clock.
type month struct {
	adaptertest.Month
	service *gcpsmtest.Service
	clock   *gcpsmtest.Clock
	api     gcpsm.API
}

func newMonth(t *testing.T) *month {
	t.Helper()
	clock := gcpsmtest.NewClock()
	m := &month{Month: adaptertest.Month{T: t, Clock: clock}, clock: clock, service: gcpsmtest.New(gcpsmtest.Real(), clock)}
	m.api = m.service.Direct(connect(t, m.service.Principal))
	m.Store = m.process()
	return m
}

// process returns a store that has read nothing yet.
func (m *month) process() *secretstore.Store {
	m.Helper()
	store, err := gcpsm.New(m.api, "test-project", gcpsm.WithClock(m.clock.Now, m.clock.Sleep), gcpsm.WithFanout(16))
	if err != nil {
		m.Fatal(err)
	}
	return store
}

// repair does an operator's daily repair: it removes the remains of deleted tokens.
func (m *month) repair() {
	m.Helper()
	m.billed()
	if _, err := m.process().Reindex(m.Context(), secretstore.ReindexOptions{}); err != nil {
		m.Fatalf("%v: %v", m.clock.Now(), err)
	}
}

// billed checks the most versions that each token has had at once.
func (m *month) billed() {
	m.Helper()
	for _, id := range m.service.IDs() {
		if !strings.HasPrefix(id, "tokenstore--tokens--") {
			continue
		}
		if n := m.service.MostVersions(id); n > mostBilled {
			m.Errorf("%s had %d versions at once", id, n)
		}
	}
}

// moveIn saves the tokens at the start of the month, fifty per call.
func (m *month) moveIn() {
	m.Helper()
	for len(m.Want) < adaptertest.TokensKept {
		var some []tokenstore.OAuthToken
		for range adaptertest.TokensKept / 20 {
			some = append(some, m.Next())
		}
		saved, err := m.Store.SaveTokens(m.Context(), some)
		if err != nil {
			m.Fatal(err)
		}
		m.Want = append(m.Want, saved...)
		m.clock.Advance(adaptertest.Period / 4)
	}
	m.clock.Advance(adaptertest.Period)
}

// TestMonth runs 1,000 tokens through a month under the real quotas. The whole
// month needs TOKENSTORE_LONG=1; else it is one day of three hours.
func TestMonth(t *testing.T) {
	adaptertest.OneAtATime(t)
	days, every := adaptertest.DaysOfMonth()
	m := newMonth(t)
	m.moveIn()
	calls, versions := m.service.Calls(), m.service.VersionTime()
	for done := range days {
		m.Day(every)
		m.repair()
		m.report(done+1, calls, versions)
	}
	m.Verify(m.process())
	m.billed()
}

// report logs the costs of some days since the given counts.
func (m *month) report(days int, calls map[string]int, versions time.Duration) {
	m.Helper()
	months := float64(days) / adaptertest.BilledDays
	kept := float64(m.service.VersionTime()-versions) / float64(adaptertest.BilledDays*adaptertest.Day) / months
	accesses, other := 0, 0
	for method, n := range m.service.Calls() {
		if n -= calls[method]; method == "AccessSecretVersion" {
			accesses += n
		} else {
			other += n
		}
	}
	perMonth := float64(accesses) / months
	m.Logf("%d days of %d tokens: %.1f versions, $%.2f a month; %.0f accesses, $%.2f a month; %.0f other calls, free",
		days, adaptertest.TokensKept, kept, kept*costs.GCP.Stored, perMonth, perMonth*costs.GCP.PerCall, float64(other)/months)
	if kept > 1.2*mostBilled*adaptertest.TokensKept {
		m.Errorf("%.1f versions for %d tokens", kept, adaptertest.TokensKept)
	}
}
