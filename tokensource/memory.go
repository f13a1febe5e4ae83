// What a process keeps of each token: the token itself until its own moment, and what it has seen
// and done.

package tokensource

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenstore"
)

// entry is what a process knows of one token.
type entry struct {
	id   string
	name string // the ID as events show it
	// memory is the token as last read or saved.
	memory atomic.Pointer[remembered]

	mu      sync.Mutex // of what follows; never held during a call
	flight  *flight    // the one that is running, or nil
	found   *reading   // the row as a find has just read it: the next flight's first read
	unsaved *unsaved   // a new token that the store has not accepted yet
	quiet   time.Time  // until then no flight begins while the access token is good
	idle    int        // how many flights in a row ended without a new token

	// The rest belongs to the flight that is running.
	life   time.Duration // of an access token; 0: not known yet
	issued time.Time     // when the fleet got the access token in memory, at the earliest; zero: not known
	stood  time.Time     // when the access token in memory was last seen stored
	claim  ownClaim
	seen   string       // the note that this process sees standing,
	seenAt time.Time    // since when, by its own clock
	alone  aloneFailure // without coordination
}

// remembered is a token in memory.
type remembered struct {
	token tokenstore.OAuthToken
	until time.Time // this process's own moment: until then no call is made
}

// reading is a row and when it had been read.
type reading struct {
	row tokenstore.Noted
	at  time.Time
}

// ownClaim is the last claim of this process.
type ownClaim struct {
	nonce   string
	begun   time.Time // before the claim was written
	lasts   time.Duration
	n       int
	sent    bool // a redemption may have been sent, or the claim has been given up: it ends like anybody's
	refused bool // the provider has refused; the refusal is to be recorded
}

// unsaved is a new token that the store has not accepted yet.
type unsaved struct {
	row    tokenstore.Noted      // as it was redeemed
	got    tokenstore.OAuthToken // what the redeemer returned
	next   time.Time             // when the next attempt is made
	waited time.Duration
	err    error
}

func newEntry(id string) *entry { return &entry{id: id, name: tokenstore.Redact(id)} }

func (e *entry) isUnsaved() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsaved != nil
}

const (
	// unknownEnd is how long a token without an expiry is kept in memory; it is good for
	// longer, but may be deleted.
	unknownEnd = time.Hour
	// usualLife is that of an access token at most providers.
	usualLife = time.Hour
)

// remember keeps a token in memory until its own moment: its end less the margin less X, which is
// drawn once for each access token from an exponential distribution. So the processes of a fleet
// come one after the other, and the first has refreshed before the second comes.
func (s *Source) remember(e *entry, t tokenstore.OAuthToken, redeemed bool) *remembered {
	now := s.now()
	old := e.memory.Load()
	known := old != nil && old.token.AccessToken == t.AccessToken
	same := known && old.token.Expiry.Equal(t.Expiry)
	m := &remembered{token: t}
	left := t.Expiry.Sub(now)
	switch {
	case t.AccessToken == "":
	case t.Expiry.IsZero():
		m.until = now.Add(unknownEnd - s.exponential(spread))
	case redeemed && left < time.Second:
		// The clock or the provider's answer is wrong. Another redemption would not help.
		m.until = now.Add(justIssued)
	case same && !redeemed:
		m.until = old.until
	default:
		if redeemed {
			e.life = left
		} else if e.life > 0 {
			e.life = max(e.life, left)
		}
		life := e.life
		if life <= 0 {
			life = max(left, s.unseenLife())
		}
		margin := min(s.margin, life/4)
		m.until = t.Expiry.Add(-margin - s.exponential(min(spread, life/60)))
	}
	switch {
	case redeemed:
		e.issued = now
	case !same:
		e.issued = time.Time{}
		if e.life > 0 && !t.Expiry.IsZero() {
			e.issued = t.Expiry.Add(-e.life)
		}
		if old != nil && !known && e.stood.After(e.issued) {
			e.issued = e.stood // The one before was still stored then.
		}
	}
	e.stood = now
	e.memory.Store(m)
	return m
}

// unseenLife is the least life of an access token that this process has not seen begin. A margin
// below the default says that lives are short; then a young token is not taken for an old one.
func (s *Source) unseenLife() time.Duration {
	if s.margin < defaultMargin {
		return 4 * s.margin
	}
	return usualLife
}

// exponential draws from an exponential distribution.
func (s *Source) exponential(mean time.Duration) time.Duration {
	return time.Duration(-math.Log(1-s.random()) * float64(mean))
}

// good reports whether an access token has not ended. A token without an expiry is good; the one
// that an API has refused is not.
func (s *Source) good(t *tokenstore.OAuthToken, dead string) bool {
	return t.AccessToken != "" && t.AccessToken != dead && (t.Expiry.IsZero() || s.now().Before(t.Expiry))
}

// entryOf returns the entry of a token, and makes one if there is none. If there are too many, it
// drops some that are at rest.
func (s *Source) entryOf(id string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[id]; e != nil {
		return e
	}
	if len(s.byID) >= s.limit {
		s.shrink()
	}
	e := newEntry(id)
	s.byID[id] = e
	return e
}

// shrink drops an eighth of the tokens, in no order, and their queries.
func (s *Source) shrink() {
	dropped := map[*entry]bool{}
	for id, e := range s.byID {
		if len(dropped) > s.limit/8 {
			break
		}
		e.mu.Lock()
		resting := e.flight == nil && e.unsaved == nil
		e.mu.Unlock()
		if resting {
			delete(s.byID, id)
			dropped[e] = true
		}
	}
	s.entries.keep(func(_ key, e *entry) bool { return !dropped[e] })
}

// know makes a query find its token in memory. There may be several queries for a token; those by
// access token end with it.
func (s *Source) know(k key, e *entry) {
	if s.entries.len() >= 2*s.limit {
		s.entries.keep(func(k key, e *entry) bool {
			m := e.memory.Load()
			return k.access == "" && m != nil && s.random() < 0.75
		})
	}
	s.entries.put(k, e)
}
