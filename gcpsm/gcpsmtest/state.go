// What the service stores. It keeps history, so that a stale read can return the past.

package gcpsmtest

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

const (
	enabled   = secretmanagerpb.SecretVersion_ENABLED
	disabled  = secretmanagerpb.SecretVersion_DISABLED
	destroyed = secretmanagerpb.SecretVersion_DESTROYED
)

// secret is an ID with everything stored under it, one life after another. Past lives
// are kept as long as a stale read may still return them.
type secret struct {
	lives []*life
}

// life is a secret from its creation to its deletion.
type life struct {
	serial   int // in the order of creation
	began    time.Time
	ended    time.Time  // zero while the secret exists
	metadata []metadata // oldest first; the last is current
	versions []*version // number 1 first
	clean    int        // how many versions have lost their payload
}

// metadata is a secret's metadata from one time on; it never changes.
type metadata struct {
	secret *secretmanagerpb.Secret
	since  time.Time
}

// version is one version of a secret with all its states, oldest first.
type version struct {
	number  int64
	payload []byte
	checked bool // a checksum came with the payload
	states  []change
}

// change is a state that a version entered.
type change struct {
	state secretmanagerpb.SecretVersion_State
	since time.Time
	due   time.Time // when it will be destroyed; zero if never
	etag  string
}

func (v *version) created() time.Time { return v.states[0].since }

// at returns the state at a time, or the first one if the version is younger.
func (v *version) at(t time.Time) change {
	c := v.states[0]
	for _, later := range v.states[1:] {
		if !later.since.After(t) {
			c = later
		}
	}
	if !c.due.IsZero() && !c.due.After(t) {
		return change{state: destroyed, since: c.due, etag: c.etag}
	}
	return c
}

// gone returns when the version was destroyed, or the zero time.
func (v *version) gone(now time.Time) time.Time {
	if c := v.at(now); c.state == destroyed {
		return c.since
	}
	return time.Time{}
}

// version returns the version with a number, or nil.
func (l *life) version(number int64) *version {
	if number < 1 || number > int64(len(l.versions)) {
		return nil
	}
	return l.versions[number-1]
}

// latest returns the newest version at a time, or nil.
func (l *life) latest(t time.Time) *version {
	n := sort.Search(len(l.versions), func(i int) bool { return l.versions[i].created().After(t) })
	return l.version(int64(n))
}

// at returns the metadata at a time.
func (l *life) at(t time.Time) *secretmanagerpb.Secret {
	m := l.metadata[0]
	for _, later := range l.metadata[1:] {
		if !later.since.After(t) {
			m = later
		}
	}
	return m.secret
}

// now returns the current metadata.
func (l *life) now() *secretmanagerpb.Secret { return l.metadata[len(l.metadata)-1].secret }

func (l *life) existed(t time.Time) bool {
	return !l.began.After(t) && (l.ended.IsZero() || l.ended.After(t))
}

// find returns a secret that exists now, or nil.
func (s *Service) find(id string) *life {
	sec := s.secrets[id]
	if sec == nil {
		return nil
	}
	l := sec.lives[len(sec.lives)-1]
	if l.ended.IsZero() {
		// (API, Secret.expiration: permanently deleted when it expires.)
		if expires := l.now().GetExpireTime(); expires != nil && !expires.AsTime().After(s.clock.Now()) {
			l.ended = expires.AsTime()
		}
	}
	if !l.ended.IsZero() {
		return nil
	}
	return l
}

// seen returns a secret as it was at a time, or nil if it did not exist.
func (s *Service) seen(id string, t time.Time) *life {
	s.find(id)
	if sec := s.secrets[id]; sec != nil {
		for _, l := range slices.Backward(sec.lives) {
			if l.existed(t) {
				return l
			}
		}
	}
	return nil
}

// moment returns the time as of which a read sees the service, at most the given
// duration ago: usually now.
func (s *Service) moment(late time.Duration) time.Time {
	now := s.clock.Now()
	if late <= 0 || s.random.IntN(3) > 0 {
		return now
	}
	return now.Add(-time.Duration(s.random.Int64N(int64(late) + 1)))
}

// create begins a new life of an ID.
func (s *Service) create(id string, meta *secretmanagerpb.Secret) *life {
	s.serial++
	now := s.clock.Now()
	l := &life{serial: s.serial, began: now, metadata: []metadata{{meta, now}}}
	sec := s.secrets[id]
	if sec == nil {
		sec = &secret{}
		s.secrets[id] = sec
	}
	sec.lives = slices.DeleteFunc(sec.lives, func(old *life) bool {
		unseen := now.Sub(old.ended) > s.late()
		if unseen {
			s.billed += old.billed(now)
		}
		return unseen
	})
	sec.lives = append(sec.lives, l)
	return l
}

func (s *Service) late() time.Duration { return max(s.config.Stale, s.config.StatesLate) }

// describe replaces the metadata and drops what no read can return any more.
func (s *Service) describe(l *life, meta *secretmanagerpb.Secret) {
	now := s.clock.Now()
	l.metadata = append(l.metadata, metadata{meta, now})
	for len(l.metadata) > 1 && now.Sub(l.metadata[1].since) > s.late() {
		l.metadata = l.metadata[1:]
	}
}

// add appends a version, and drops the payloads of those that were destroyed.
func (s *Service) add(l *life, payload []byte, checked bool) *version {
	now := s.clock.Now()
	v := &version{
		number: int64(len(l.versions)) + 1, payload: payload, checked: checked,
		states: []change{{state: enabled, since: now, etag: s.etag()}},
	}
	l.versions = append(l.versions, v)
	for ; l.clean < len(l.versions); l.clean++ {
		old := l.versions[l.clean]
		if gone := old.gone(now); gone.IsZero() || now.Sub(gone) <= s.late() {
			break
		}
		old.payload = nil
	}
	return v
}

// change moves a version into another state.
func (s *Service) change(l *life, v *version, state secretmanagerpb.SecretVersion_State) {
	c := change{state: state, since: s.clock.Now(), etag: s.etag()}
	if ttl := l.now().GetVersionDestroyTtl(); state == destroyed && ttl != nil {
		c.state, c.due = disabled, c.since.Add(ttl.AsDuration())
	}
	v.states = append(v.states, c)
}

// etag returns a new etag, which includes its quotes. (etags)
func (s *Service) etag() string {
	s.etags++
	return fmt.Sprintf("\"%x\"", 0x15e2f0000000+s.etags)
}

// locations returns how many copies of the secret are stored and billed: each replica
// counts, automatic replication as one. (pricing)
func (l *life) locations() int {
	return max(1, len(l.now().GetReplication().GetUserManaged().GetReplicas()))
}

// billed returns how long versions of the secret were kept, summed.
func (l *life) billed(now time.Time) time.Duration {
	var sum time.Duration
	for _, v := range l.versions {
		sum += l.until(v, now).Sub(v.created())
	}
	return sum * time.Duration(l.locations())
}

// until returns when a version stopped being billed, or now.
func (l *life) until(v *version, now time.Time) time.Time {
	end := now
	if !l.ended.IsZero() {
		end = l.ended
	}
	if gone := v.gone(now); !gone.IsZero() && gone.Before(end) {
		end = gone
	}
	return end
}

// most returns the most versions that were billed at the same time.
func (l *life) most(now time.Time) int {
	type step struct {
		at time.Time
		by int
	}
	var steps []step
	for _, v := range l.versions {
		steps = append(steps, step{v.created(), 1}, step{l.until(v, now), -1})
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return b.by - a.by
	})
	count, most := 0, 0
	for _, s := range steps {
		count += s.by
		most = max(most, count)
	}
	return most
}
