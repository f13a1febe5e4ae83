package awssm_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

const (
	tokensKept     = 1000        // constant: as many are inserted as deleted
	newEachDay     = 20          // and as many are deleted
	rotatedEachDay = 5           // refresh tokens
	period         = time.Hour   // from refresh to refresh
	loadedEachDay  = 250         // during the initial load
	billedDays     = 30          // of a month
	day            = 24 * period // in which 1,000 tokens make 24,000 refreshes
)

// month is a company's tokens over a month on the fake's clock.
type month struct {
	*testing.T
	service *awssmtest.Service
	clock   *awssmtest.Clock
	store   *secretstore.Store
	want    []tokenstore.OAuthToken // what must be stored, the oldest first
	serial  int
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
	m.want = append(m.want, m.save(adaptertest.Token(fmt.Sprintf("user-%d@example.com", m.serial))))
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

// hour refreshes every token once, evenly spread.
func (m *month) hour(rotations, arrivals int) {
	m.Helper()
	began := m.clock.Now()
	for i := range m.want {
		at := began.Add(time.Duration(i) * period / time.Duration(len(m.want)))
		m.clock.Advance(max(0, at.Sub(m.clock.Now())))
		m.refresh(i, i < rotations)
		if i < arrivals {
			m.replaceOldest()
		}
	}
	m.clock.Advance(max(0, began.Add(period).Sub(m.clock.Now())))
}

// verify compares the stored tokens with the saved ones, and finds some of them by each
// key, as a newly started process does.
func (m *month) verify() {
	m.Helper()
	cold, err := awssm.New(m.service, awssm.WithClock(m.clock.Now, m.clock.Sleep))
	if err != nil {
		m.Fatal(err)
	}
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
		query := tokenstore.OAuthToken{ClientID: "c", ClientSecret: "s", RefreshToken: t.RefreshToken}
		if found, err := cold.FindToken(m.Context(), query); err != nil || found.ID != t.ID {
			m.Errorf("token %d is not found by its refresh token: %v", i, err)
		}
	}
}

// TestMonth runs 1,000 tokens through a month under the real quotas. The whole
// month needs TOKENSTORE_LONG=1; else it is one day, with a refresh every twelve
// hours.
func TestMonth(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	days, every := 1, 12
	if os.Getenv("TOKENSTORE_LONG") != "" {
		days, every = billedDays, 1
	}
	clock := awssmtest.NewClock()
	m := &month{T: t, clock: clock, service: awssmtest.New(awssmtest.Real(), clock)}
	var err error
	if m.store, err = awssm.New(m.service, awssm.WithClock(clock.Now, clock.Sleep), awssm.WithFanout(16)); err != nil {
		t.Fatal(err)
	}
	for range tokensKept {
		m.insert()
		clock.Advance(day / loadedEachDay)
	}
	calls, secrets := m.calls(), m.service.SecretTime()
	for range days {
		for hour := range 24 {
			switch {
			case hour == 9:
				m.hour(rotatedEachDay, newEachDay)
			case hour%every == 0:
				m.hour(0, 0)
			default:
				clock.Advance(period)
			}
		}
	}
	m.verify()
	months := float64(days) / billedDays
	kept := float64(m.service.SecretTime()-secrets) / float64(billedDays*day) / months
	made := float64(m.calls()-calls) / months
	t.Logf("%d days of %d tokens: %.1f secrets, $%.2f a month; %.0f calls, $%.2f a month",
		days, tokensKept, kept, kept*costs.AWS.Stored, made, made*costs.AWS.PerCall)
	if kept > 1.02*tokensKept {
		t.Errorf("%.1f secrets for %d tokens", kept, tokensKept)
	}
}

func (m *month) calls() int {
	sum := 0
	for _, n := range m.service.Calls() {
		sum += n
	}
	return sum
}
