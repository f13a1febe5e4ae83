// What a person does in the console, and what an operator sees there and on the bill:
// tests use it to intervene, and to check what the driver left behind.

package gcpsmtest

import (
	"slices"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// Edit adds a version with a value, as a person does in the console: it creates the
// secret if necessary, takes effect at once and never fails by chance. It returns the
// version's number.
func (s *Service) Edit(id, value string) (number int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload := &secretmanagerpb.SecretPayload{Data: []byte(value)}
	if err := s.checkPayload(payload); err != nil {
		return 0, err
	}
	l := s.find(id)
	if l == nil {
		in := &secretmanagerpb.Secret{}
		if s.config.Location == "" {
			in.Replication = &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{
				Automatic: &secretmanagerpb.Replication_Automatic{},
			}}
		}
		if _, err := s.newSecret(s.named(id), in); err != nil {
			return 0, err
		}
		l = s.find(id)
	}
	return s.add(l, payload.GetData(), false).number, nil
}

// named returns the resource of a secret of this service.
func (s *Service) named(id string) resource {
	return resource{project: s.config.Project, location: s.config.Location, id: id}
}

// Disable disables a version, as a person does in the console, at once and without
// chance failures. A number of 0 means the newest version.
func (s *Service) Disable(id string, number int64) error { return s.byHand(id, number, disabled) }

// Enable enables a version, as a person does in the console, at once and without chance
// failures. A number of 0 means the newest version.
func (s *Service) Enable(id string, number int64) error { return s.byHand(id, number, enabled) }

// Destroy destroys a version, as a person does in the console, at once and without
// chance failures. A number of 0 means the newest version.
func (s *Service) Destroy(id string, number int64) error { return s.byHand(id, number, destroyed) }

func (s *Service) byHand(id string, number int64, state secretmanagerpb.SecretVersion_State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.find(id)
	if l == nil {
		return s.missing(s.named(id))
	}
	if number == 0 {
		number = int64(len(l.versions))
	}
	v := l.version(number)
	if v == nil {
		return notFound("Secret Version [%s] not found.", s.named(id).at(number))
	}
	if c := v.at(s.clock.Now()); c.state == destroyed {
		return wrongState(s.named(id).at(number), c)
	}
	s.change(l, v, state)
	return nil
}

// Remove deletes a secret, as a person does in the console, at once and without chance
// failures.
func (s *Service) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.find(id)
	if l == nil {
		return s.missing(s.named(id))
	}
	l.ended = s.clock.Now()
	return nil
}

// Value returns the data of a secret's newest version as the console would show it,
// never stale. It is false if there is none or it is not enabled.
func (s *Service) Value(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.find(id)
	if l == nil || len(l.versions) == 0 {
		return "", false
	}
	v := l.versions[len(l.versions)-1]
	if v.at(s.clock.Now()).state != enabled {
		return "", false
	}
	return string(v.payload), true
}

// Versions returns how many of a secret's versions are not destroyed: each is billed,
// even when disabled. (pricing)
func (s *Service) Versions(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, now, n := s.find(id), s.clock.Now(), 0
	if l == nil {
		return 0
	}
	for _, v := range l.versions {
		if v.gone(now).IsZero() {
			n++
		}
	}
	return n
}

// Added returns the number of a secret's newest version, or 0 if it has none.
func (s *Service) Added(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.find(id); l != nil {
		return int64(len(l.versions))
	}
	return 0
}

// MostVersions returns the most versions of a secret that were billed at the same time
// since it was created.
func (s *Service) MostVersions(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.find(id); l != nil {
		return l.most(s.clock.Now())
	}
	return 0
}

// IDs returns the IDs of the secrets that exist, sorted.
func (s *Service) IDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.secrets {
		if s.find(id) != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// VersionTime returns how long versions were billed, summed over all versions and
// locations: divided by a month, it is the number of versions on the bill. (pricing:
// enabled and disabled versions count, destroyed ones do not.)
func (s *Service) VersionTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, now := s.billed, s.clock.Now()
	for id, sec := range s.secrets {
		s.find(id) // It may have expired.
		for _, l := range sec.lives {
			sum += l.billed(now)
		}
	}
	return sum
}
