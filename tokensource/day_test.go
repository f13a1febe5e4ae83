package tokensource_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// dayStore is a store with a row for each user, which is slow, sometimes out of reach, and sometimes
// loses a reply.
type dayStore struct {
	tokenstore.Store
	mu     sync.Mutex
	rnd    *rand.Rand
	rows   map[string]*tokenstore.Noted
	writes map[string]int
	faults atomic.Int64
}

func newDayStore(rows []tokenstore.OAuthToken) *dayStore {
	s := &dayStore{rnd: rand.New(rand.NewPCG(1, 2)), rows: map[string]*tokenstore.Noted{}, writes: map[string]int{}}
	for _, r := range rows {
		s.rows[r.ID] = &tokenstore.Noted{OAuthToken: r.Normal()}
	}
	return s
}

func (s *dayStore) lots(one int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rnd.IntN(one) > 0 {
		return false
	}
	s.faults.Add(1)
	return true
}

var errAway = &tokenstore.Error{Store: "day", Op: "call", Kind: tokenstore.ErrUnavailable}

func (s *dayStore) FindNoted(_ context.Context, q tokenstore.OAuthToken) (tokenstore.Noted, error) {
	time.Sleep(20 * time.Millisecond)
	if s.lots(500) {
		return tokenstore.Noted{}, errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.ID == q.ID || q.ID == "" && r.UserName == q.UserName {
			return *r, nil
		}
	}
	return tokenstore.Noted{}, notFound("find")
}

func (s *dayStore) SwapToken(_ context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (tokenstore.Noted, bool, error) {
	time.Sleep(50 * time.Millisecond)
	if s.lots(100) {
		return tokenstore.Noted{}, false, errAway
	}
	s.mu.Lock()
	r := s.rows[old.ID]
	if r.AccessToken != old.AccessToken || r.RefreshToken != old.RefreshToken || r.Note != old.Note {
		now := *r
		s.mu.Unlock()
		return now, false, nil
	}
	next.ID, next.UserName = "", ""
	r.OAuthToken, r.Note = tokenstore.Update(r.OAuthToken, next), note
	s.writes[r.ID]++
	now := *r
	s.mu.Unlock()
	if s.lots(100) {
		return tokenstore.Noted{}, false, errAway // It has happened.
	}
	return now, true, nil
}

func (s *dayStore) WritesPerDay() int { return 96 }

func (s *dayStore) count() (all, worst int) {
	for _, n := range s.writes {
		all, worst = all+n, max(worst, n)
	}
	return all, worst
}

// dayProvider revokes the family at a second use unless refresh tokens stay the same, and is
// sometimes out of reach.
type dayProvider struct {
	keeps bool
	mu    sync.Mutex
	rnd   *rand.Rand
	n     int
	ends  map[string]time.Time // of access tokens
	users map[string]int       // of refresh tokens
	asked map[int][]time.Time
	spent map[string]bool
	last  map[int]time.Time // the end of the last access token
	leads time.Duration
}

func newDayProvider(rows []tokenstore.OAuthToken, keeps bool) *dayProvider {
	p := &dayProvider{keeps: keeps, rnd: rand.New(rand.NewPCG(3, 4)), ends: map[string]time.Time{}, users: map[string]int{}, asked: map[int][]time.Time{}, spent: map[string]bool{}, last: map[int]time.Time{}}
	for i, r := range rows {
		p.users[r.RefreshToken], p.ends[r.AccessToken], p.last[i] = i, r.Expiry, r.Expiry
	}
	return p
}

func (p *dayProvider) Redeem(_ context.Context, t tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	p.mu.Lock()
	d := 200*time.Millisecond + time.Duration(p.rnd.Int64N(int64(time.Second)))
	away := p.rnd.IntN(50) == 0
	p.mu.Unlock()
	if away {
		return tokenstore.OAuthToken{}, tokensource.ErrNotSent
	}
	time.Sleep(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	user, known := p.users[t.RefreshToken]
	now := time.Now()
	p.asked[user] = append(p.asked[user], now)
	if !known || p.spent[t.RefreshToken] {
		return tokenstore.OAuthToken{}, tokensource.ErrNeedsConsent
	}
	p.n++
	got := tokenstore.OAuthToken{AccessToken: fmt.Sprint("a-", p.n), Expiry: now.Add(time.Hour)}
	if left := p.last[user].Sub(now); left > 0 {
		p.leads += left
	}
	p.ends[got.AccessToken], p.last[user] = got.Expiry, got.Expiry
	if !p.keeps {
		p.spent[t.RefreshToken] = true
		got.RefreshToken = fmt.Sprint("r-", p.n)
		p.users[got.RefreshToken] = user
	}
	return got, nil
}

func (p *dayProvider) alive(a string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.ends[a])
}

// lead is how long before their ends tokens were refreshed on average.
func (p *dayProvider) lead() time.Duration { return p.leads / time.Duration(p.n) }

// count returns the redemptions, and the most of one user in ten minutes.
func (p *dayProvider) count() (n, most int) {
	for _, at := range p.asked {
		for i := range at {
			j := i
			for j < len(at) && at[j].Sub(at[i]) < 10*time.Minute {
				j++
			}
			most = max(most, j-i)
		}
	}
	return p.n, most
}
