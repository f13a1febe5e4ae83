package gcpsmtest

import (
	"slices"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// Edit adds a version with a value, and creates the secret first if there is
// none, as a person does in the console, at once and without a fault. It returns
// the version's number.
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

// Disable disables a version, as a person does in the console, at once and
// without a fault. A number of 0 means the newest version.
func (s *Service) Disable(id string, number int64) error { return s.byHand(id, number, disabled) }

// Enable enables a version, as a person does in the console, at once and
// without a fault. A number of 0 means the newest version.
func (s *Service) Enable(id string, number int64) error { return s.byHand(id, number, enabled) }

// Destroy destroys a version, as a person does in the console, at once and
// without a fault. A number of 0 means the newest version.
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

// Remove deletes a secret, as a person does in the console, at once and without
// a fault.
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

// Value returns the data of a secret's newest version as the console would show
// it, never stale. It is false if that version is not enabled or there is none.
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

// Versions returns how many versions a secret has that are not destroyed: each
// is paid for, also while it is disabled. (pricing)
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

// Added returns the number of a secret's newest version; 0 if there is none.
func (s *Service) Added(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.find(id); l != nil {
		return int64(len(l.versions))
	}
	return 0
}

// MostVersions returns how many versions of a secret were paid for at once, at
// the worst moment since it was created.
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

// VersionTime returns for how long versions were paid for, all together and in
// each location: divided by a month, that is the number of versions on the bill.
// (pricing: what is enabled or disabled counts, what is destroyed does not.)
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
