// Many users at once, with access tokens that end soon.

package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenstore/accountstest"
	"example.com/tokenstore/tokensource"
)

const (
	// life is that of an access token.
	life = 40 * time.Second
	// redeeming is how long the accounts server takes for a redemption.
	redeeming = 2 * time.Second
	// saving is longer than the save of a new token takes.
	saving = time.Second
)

// span is a time from which to which something lasted.
type span struct{ from, to time.Time }

func (s span) overlaps(o span) bool { return s.from.Before(o.to) && o.from.Before(s.to) }

// TestLoad has two replicas serve every user about every other second. The users' tokens are
// of all ages, so that all the time some have to be refreshed. Each is redeemed once in its
// life, and nobody waits for that. With TOKENSTORE_LONG=1 it takes 40 seconds.
func TestLoad(t *testing.T) {
	n, lasts := 40, 8*time.Second
	if os.Getenv("TOKENSTORE_LONG") != "" {
		n, lasts = 500, life
	}
	var ago atomic.Int64 // how much earlier it is at Zoho, during the logins
	config := accountstest.Zoho()
	config.Life, config.Latency, config.Users = life, redeeming, users(n)
	config.Now = func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }
	f := newFleet(t, config)
	ends := make([]time.Time, n) // of the users' first access tokens
	for i, user := range config.Users {
		// They end in 13 to 40 seconds: before 10 they are refreshed.
		ago.Store(int64((life - 13*time.Second) * time.Duration(i) / time.Duration(n)))
		ends[i] = f.login(user).Expiry
	}
	ago.Store(0)

	margin := tokensource.WithMargin(10 * time.Second) // as for any short life
	replicas := []*replica{f.start(margin), f.start(margin)}
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var mu sync.Mutex
	served, requests := 0, make([][]span, n) // by user
	var all sync.WaitGroup
	for _, r := range replicas {
		for i, user := range config.Users {
			all.Go(func() {
				// On a slow machine the time may be over before everybody has asked.
				for asked := 0; pause(ctx, rand.N(4*time.Second)) || asked < 2; asked++ {
					began := time.Now()
					status, body, err := r.get(t.Context(), company(user.UserName()))
					if err != nil || status != http.StatusOK {
						t.Errorf("%d %s, %v", status, body, err)
						return
					}
					mu.Lock()
					served++
					requests[i] = append(requests[i], span{began, time.Now()})
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	for _, r := range replicas {
		f.end(r)
	}

	counts := f.accounts.Counts()
	doubles := doubleRedemptions(f.accounts.Requests())
	waited := counts.Unauthorized // These were sent with a token that had ended, and had to wait for another.
	for i, gaps := range gaps(f.accounts.Requests(), ends) {
		for _, r := range requests[i] {
			if slices.ContainsFunc(gaps, r.overlaps) {
				waited++
			}
		}
	}
	t.Logf("%d users, %d requests, %d waited; %d redemptions, %d doubles", n, served, waited, counts.Redemptions, doubles)
	if waited*1000 > served {
		t.Errorf("%d of %d requests waited for a refresh", waited, served)
	}
	if counts.Redemptions < n/10 {
		t.Errorf("%d redemptions: too few to say anything", counts.Redemptions)
	}
	if doubles > 0 || counts.Throttled > 0 || counts.Refused > 0 {
		t.Errorf("%d doubles, %+v", doubles, counts)
	}
}

// gaps returns, by user, when there was no access token that worked: from the end of one until
// the next was redeemed and saved. Whoever asked then had to wait. Logins are numbered from 1.
func gaps(requests []accountstest.Request, ends []time.Time) [][]span {
	found := make([][]span, len(ends))
	ends = slices.Clone(ends)
	for _, r := range requests {
		i := r.Family - 1
		if next := r.At.Add(saving); next.After(ends[i]) {
			found[i] = append(found[i], span{ends[i], next})
		}
		ends[i] = r.At.Add(life)
	}
	return found
}

func TestGapsAreSeen(t *testing.T) {
	at := time.Now()
	got := gaps([]accountstest.Request{{Family: 2, At: at}, {Family: 1, At: at}, {Family: 1, At: at.Add(life + saving)}},
		[]time.Time{at.Add(5 * time.Second), at.Add(-time.Second)})
	if len(got[0]) != 1 || got[0][0] != (span{at.Add(life), at.Add(life + 2*saving)}) || len(got[1]) != 1 || got[1][0] != (span{at.Add(-time.Second), at.Add(saving)}) {
		t.Errorf("gaps: %v", got)
	}
}

// doubleRedemptions counts the redemptions of a token whose access token was young still.
func doubleRedemptions(requests []accountstest.Request) (n int) {
	last := map[int]time.Time{}
	for _, r := range requests {
		if before, ok := last[r.Family]; ok && r.At.Sub(before) < life/2 {
			n++
		}
		last[r.Family] = r.At
	}
	return n
}

func TestDoubleRedemptionsAreSeen(t *testing.T) {
	at := time.Now()
	got := doubleRedemptions([]accountstest.Request{{Family: 1, At: at}, {Family: 2, At: at}, {Family: 1, At: at.Add(time.Second)}, {Family: 2, At: at.Add(life)}})
	if got != 1 {
		t.Errorf("%d doubles, want 1", got)
	}
}

// pause waits, and reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
