// A month of a company's tokens, for tests that count what a service charges for it.

package adaptertest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// What a month has.
const (
	TokensKept = 1000      // constant: as many are inserted as deleted
	Period     = time.Hour // from refresh to refresh
	BilledDays = 30        // of a month
	Day        = 24 * Period

	newEachDay     = 20 // and as many are deleted
	rotatedEachDay = 5  // refresh tokens
)

// Month is a company's tokens over a month on a service's clock.
type Month struct {
	*testing.T
	Clock interface {
		Now() time.Time
		Advance(d time.Duration)
	}
	Store *secretstore.Store
	Want  []tokenstore.OAuthToken // what must be stored, the oldest first

	serial int
}

// DaysOfMonth returns how many days a test runs, and every how many hours the tokens are
// refreshed: a whole month with TOKENSTORE_LONG=1, else a day with few refreshes.
func DaysOfMonth() (days, every int) {
	if os.Getenv("TOKENSTORE_LONG") != "" {
		return BilledDays, 1
	}
	return 1, 12
}

// Next returns a new token.
func (m *Month) Next() tokenstore.OAuthToken {
	m.serial++
	return Token(fmt.Sprintf("user-%d@example.com", m.serial))
}

// Insert saves a new token.
func (m *Month) Insert() {
	m.Helper()
	m.Want = append(m.Want, m.save(m.Next()))
}

func (m *Month) save(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	m.Helper()
	saved, err := m.Store.SaveToken(m.Context(), t)
	if err != nil {
		m.Fatalf("%v: %v", m.Clock.Now(), err)
	}
	return saved
}

// Day refreshes all tokens every so many hours. At nine, some refresh tokens are rotated, and
// some tokens come and go.
func (m *Month) Day(every int) {
	m.Helper()
	for hour := range 24 {
		switch {
		case hour == 9:
			m.Hour(rotatedEachDay, newEachDay)
		case hour%every == 0:
			m.Hour(0, 0)
		default:
			m.Clock.Advance(Period)
		}
	}
}

// Hour refreshes every token once, evenly spread. Tokens come and go in its second half.
func (m *Month) Hour(rotations, arrivals int) {
	m.Helper()
	began, gone, n := m.Clock.Now(), 0, len(m.Want)
	for i := range n {
		at := began.Add(time.Duration(i) * Period / time.Duration(n))
		m.Clock.Advance(max(0, at.Sub(m.Clock.Now())))
		m.refresh(i-gone, i < rotations)
		if i >= n/2 && gone < arrivals {
			m.replaceOldest()
			gone++
		}
	}
	m.Clock.Advance(max(0, began.Add(Period).Sub(m.Clock.Now())))
}

// refresh renews a token's access token, and its refresh token too if that is due for
// rotation.
func (m *Month) refresh(i int, rotate bool) {
	m.Helper()
	m.serial++
	t := m.Want[i]
	t.AccessToken, t.Expiry = fmt.Sprint("1000.access.", m.serial), m.Clock.Now().Add(Period)
	if rotate {
		t.RefreshToken = fmt.Sprint("1000.refresh.", m.serial)
	}
	m.Want[i] = m.save(t)
}

// replaceOldest deletes the oldest token and inserts a new one.
func (m *Month) replaceOldest() {
	m.Helper()
	if err := m.Store.DeleteToken(m.Context(), m.Want[0].ID); err != nil {
		m.Fatal(err)
	}
	m.Want = m.Want[1:]
	m.Insert()
}

// Verify compares the stored tokens with the saved ones, and finds some of them by their
// refresh token, in a store that has read nothing yet.
func (m *Month) Verify(cold *secretstore.Store) {
	m.Helper()
	all, err := cold.GetTokens(m.Context())
	if err != nil || len(all) != len(m.Want) {
		m.Fatalf("%d tokens instead of %d: %v", len(all), len(m.Want), err)
	}
	stored := map[string]tokenstore.OAuthToken{}
	for _, t := range all {
		stored[t.ID] = t
	}
	for i, t := range m.Want {
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
