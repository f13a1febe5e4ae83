package gcpsm_test

import (
	"fmt"
	"os"
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

const (
	tokensKept     = 1000        // constant: as many are inserted as deleted
	newEachDay     = 20          // and as many are deleted
	rotatedEachDay = 5           // refresh tokens
	period         = time.Hour   // from refresh to refresh
	billedDays     = 30          // of a month
	day            = 24 * period // in which 1,000 tokens make 24,000 refreshes
	mostBilled     = 2           // versions of a token at any time
)

// month is a company's tokens over a month on the server's clock.
type month struct {
	*testing.T
	service *gcpsmtest.Service
	clock   *gcpsmtest.Clock
	api     gcpsm.API
	store   *secretstore.Store
	want    []tokenstore.OAuthToken // what must be stored, the oldest first
	serial  int
}

func newMonth(t *testing.T) *month {
	t.Helper()
	clock := gcpsmtest.NewClock()
	m := &month{T: t, clock: clock, service: gcpsmtest.New(gcpsmtest.Real(), clock)}
	m.api = m.service.Direct(connect(t, m.service.Principal))
	m.store = m.process()
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

func (m *month) save(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	m.Helper()
	saved, err := m.store.SaveToken(m.Context(), t)
	if err != nil {
		m.Fatalf("%v: %v", m.clock.Now(), err)
	}
	return saved
}

func (m *month) insert() {
	m.Helper()
	m.serial++
	m.want = append(m.want, m.save(sampleToken(fmt.Sprintf("user-%d@example.com", m.serial))))
}

// replaceOldest deletes the oldest token and inserts a new one.
func (m *month) replaceOldest() {
	m.Helper()
	if err := m.store.DeleteToken(m.Context(), m.want[0].ID); err != nil {
		m.Fatal(err)
	}
	m.want = m.want[1:]
	m.insert()
}

// refresh renews a token's access token, and its refresh token too if that is due for
// rotation.
func (m *month) refresh(i int, rotate bool) {
	m.Helper()
	m.serial++
	t := m.want[i]
	t.AccessToken, t.Expiry = fmt.Sprint("1000.access.", m.serial), m.clock.Now().Add(period)
	if rotate {
		t.RefreshToken = fmt.Sprint("1000.refresh.", m.serial)
	}
	m.want[i] = m.save(t)
}

// hour refreshes every token once, evenly spread. Tokens come and go in its second half.
func (m *month) hour(rotations, arrivals int) {
	m.Helper()
	began, gone := m.clock.Now(), 0
	for i := range tokensKept {
		at := began.Add(time.Duration(i) * period / tokensKept)
		m.clock.Advance(max(0, at.Sub(m.clock.Now())))
		m.refresh(i-gone, i < rotations)
		if i >= tokensKept/2 && gone < arrivals {
			m.replaceOldest()
			gone++
		}
	}
	m.clock.Advance(max(0, began.Add(period).Sub(m.clock.Now())))
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

// verify compares the stored tokens with the saved ones, and finds some of them by each
// key, as a newly started process does.
func (m *month) verify() {
	m.Helper()
	cold := m.process()
	all, err := cold.GetTokens(m.Context())
	if err != nil || len(all) != len(m.want) {
		m.Fatalf("%d tokens instead of %d: %v", len(all), len(m.want), err)
	}
	stored := map[string]tokenstore.OAuthToken{}
	for _, t := range all {
		stored[t.ID] = t
	}
	for i, t := range m.want {
		if stored[t.ID] != t.Normal() {
			m.Errorf("token %d is not as it was saved", i)
		}
		if i%50 != 0 {
			continue
		}
		query := tokenstore.OAuthToken{ClientID: "1000.CLIENT", ClientSecret: "fake-secret", RefreshToken: t.RefreshToken}
		if found, err := cold.FindToken(m.Context(), query); err != nil || found.ID != t.ID {
			m.Errorf("token %d is not found by its refresh token: %v", i, err)
		}
	}
}

// moveIn saves the tokens at the start of the month, fifty per call.
func (m *month) moveIn() {
	m.Helper()
	for len(m.want) < tokensKept {
		var some []tokenstore.OAuthToken
		for range tokensKept / 20 {
			m.serial++
			some = append(some, sampleToken(fmt.Sprintf("user-%d@example.com", m.serial)))
		}
		saved, err := m.store.SaveTokens(m.Context(), some)
		if err != nil {
			m.Fatal(err)
		}
		m.want = append(m.want, saved...)
		m.clock.Advance(period / 4)
	}
	m.clock.Advance(period)
}

// TestMonth runs 1,000 tokens through a month under the real quotas. The whole
// month needs TOKENSTORE_LONG=1; else it is one day of three hours.
func TestMonth(t *testing.T) {
	adaptertest.OneAtATime(t)
	days, every := 1, 12
	if os.Getenv("TOKENSTORE_LONG") != "" {
		days, every = billedDays, 1
	}
	m := newMonth(t)
	m.moveIn()
	calls, versions := m.service.Calls(), m.service.VersionTime()
	for done := range days {
		for hour := range 24 {
			switch {
			case hour == 9:
				m.hour(rotatedEachDay, newEachDay)
			case hour%every == 0:
				m.hour(0, 0)
			default:
				m.clock.Advance(period)
			}
		}
		m.repair()
		m.report(done+1, calls, versions)
	}
	m.verify()
	m.billed()
}

// report logs the costs of some days since the given counts.
func (m *month) report(days int, calls map[string]int, versions time.Duration) {
	m.Helper()
	months := float64(days) / billedDays
	kept := float64(m.service.VersionTime()-versions) / float64(billedDays*day) / months
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
		days, tokensKept, kept, kept*costs.GCP.Stored, perMonth, perMonth*costs.GCP.PerCall, float64(other)/months)
	if kept > 1.2*mostBilled*tokensKept {
		m.Errorf("%.1f versions for %d tokens", kept, tokensKept)
	}
}
