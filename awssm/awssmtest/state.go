// What the service stores. It keeps past states, so that a stale read can return them.

package awssmtest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
	// young is the age below which no version is dropped.
	young = 24 * time.Hour
)

// version is one version of a secret; it never changes.
type version struct {
	id      string
	text    *string
	binary  []byte
	created time.Time
}

// state is a secret at one time; each write makes a new one.
type state struct {
	exists      bool
	arn         string
	description string
	kmsKey      string
	tags        map[string]string
	versions    []*version          // oldest first
	labels      map[string]*version // each label is on one version
	latest      *version            // the last current version
	created     time.Time
	since       time.Time // when billing began
	deletion    time.Time // when it is deleted permanently; zero if not scheduled
	forced      bool
	deletedAt   time.Time
}

// secret is a name with everything stored under it.
type secret struct {
	name    string
	state   state
	changed time.Time
	earlier []past
}

// past is a state that was current until some time.
type past struct {
	state state
	until time.Time
}

// clone returns a state that can be changed.
func (s state) clone() state {
	s.versions = slices.Clone(s.versions)
	s.labels = maps.Clone(s.labels)
	return s
}

func (s *state) find(id string) *version {
	for i := len(s.versions) - 1; i >= 0; i-- {
		if s.versions[i].id == id {
			return s.versions[i]
		}
	}
	return nil
}

// labelsOf returns the labels of a version, sorted.
func (s *state) labelsOf(v *version) []string {
	var labels []string
	for label, on := range s.labels {
		if on == v {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return labels
}

// move puts a label on a version. AWSPREVIOUS follows AWSCURRENT.
func (s *state) move(label string, to *version) {
	if from := s.labels[label]; label == current && from != nil && from != to {
		s.labels[previous] = from
	}
	s.labels[label] = to
	if label == current {
		s.latest = to
	}
}

// purge drops the versions without a label.
func (s *state) purge() {
	s.versions = slices.DeleteFunc(s.versions, func(v *version) bool { return len(s.labelsOf(v)) == 0 })
}

// stuck reports whether LocalStack has lost the last current version, after which it makes
// no other one current.
func (s *state) stuck() bool {
	return s.latest != nil && s.labels[current] == nil && !slices.Contains(s.versions, s.latest)
}

// add appends a version and drops those that the service drops.
func (s *state) add(v *version, limit int) error {
	if limit > 0 && len(s.versions) >= limit {
		labelled := map[*version]bool{}
		for _, on := range s.labels {
			labelled[on] = true
		}
		oldest := slices.IndexFunc(s.versions, func(old *version) bool {
			return !labelled[old] && v.created.Sub(old.created) > young
		})
		if oldest < 0 {
			return limitExceeded(fmt.Sprintf("the secret has %d versions, none of which can be dropped", len(s.versions)))
		}
		s.versions = slices.Delete(s.versions, oldest, oldest+1)
	}
	s.versions = append(s.versions, v)
	return nil
}

// write replaces the state of a secret and keeps the old one for late readers.
func (s *Service) write(sec *secret, next state) {
	now := s.clock.Now()
	if keep := max(s.config.Stale, s.config.ListLate); keep > 0 {
		sec.earlier = slices.DeleteFunc(append(sec.earlier, past{sec.state, now}), func(p past) bool {
			return now.Sub(p.until) > keep
		})
	}
	was, is := sec.state.charged(), next.charged()
	if was && !is {
		s.billed += now.Sub(sec.state.since)
	}
	if is && !was {
		next.since = now
	}
	sec.state, sec.changed = next, now
}

func (s *state) charged() bool { return s.exists && s.deletion.IsZero() }

// lookup returns the secret with a name, after applying deletions that are due.
func (s *Service) lookup(name string) *secret {
	sec, ok := s.secrets[name]
	if !ok {
		sec = &secret{name: name}
		s.secrets[name] = sec
	}
	if d := sec.state.deletion; sec.state.exists && !d.IsZero() && !s.clock.Now().Before(d) {
		s.write(sec, state{})
	}
	return sec
}

// seen returns the state that a read returns: usually the current one, sometimes one that
// was current within the staleness.
func (s *Service) seen(sec *secret, late time.Duration) state {
	now := s.clock.Now()
	if late <= 0 || len(sec.earlier) == 0 || s.random.IntN(3) > 0 {
		return sec.state
	}
	for _, p := range sec.earlier {
		if now.Sub(p.until) <= late && s.random.IntN(2) == 0 {
			return p.state
		}
	}
	return sec.state
}
