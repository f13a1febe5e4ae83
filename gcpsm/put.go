package gcpsm

// A Put adds a version; see swap.go for how that becomes a compare-and-swap. A new name
// needs a secret first, and a name that was deleted is taken over its mark.

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"

	"example.com/tokenstore/driver"
)

// pruneWithin is how long a save may be held up by destroying old versions.
const pruneWithin = 5 * time.Second

// noPruneFor is how long nothing is destroyed by saves after the service said
// that the role may not: roles change.
const noPruneFor = time.Hour

// Put adds a version over the one that the revision names.
func (s *secrets) Put(ctx context.Context, secret driver.Secret) (string, error) {
	id, full, err := encodeName(secret.Name)
	if err != nil {
		return "", err
	}
	fields, err := checkData(secret.Data)
	if err != nil {
		return "", err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return "", err
	}
	defer release()
	if secret.Revision == "" {
		return s.create(ctx, target{id, full, fields})
	}
	base, ok := parseRef(secret.Revision)
	if !ok {
		return "", fmt.Errorf("%w: the revision is not one of this store", driver.ErrConflict)
	}
	own, err := s.replace(ctx, id, base, version{}, fields)
	if err != nil {
		return "", err
	}
	return own.ref().String(), nil
}

// replace adds a version over the base, which must be the current version.
func (s *secrets) replace(ctx context.Context, id string, base ref, v version, fields map[string]json.RawMessage) (version, error) {
	h, head, err := s.onto(ctx, id, base)
	if err != nil {
		return version{}, err
	}
	if !live(head) || head.ref() != base {
		return version{}, conflict()
	}
	s.prune(ctx, h, head)
	own, err := s.swap(ctx, id, h, base, v, fields)
	if errors.Is(err, driver.ErrNotFound) {
		if err := s.goes(ctx, id); err != nil {
			return version{}, err
		}
		return version{}, fmt.Errorf("%w: the secret is gone", driver.ErrConflict)
	}
	return own, err
}

// goes forgets a secret to which no version could be added because it was not
// there, and returns an error if a look meets one: then it may be there after all.
func (s *secrets) goes(ctx context.Context, id string) error {
	s.forget(id)
	_, _, err := s.look(ctx, id)
	return err
}

// onto returns the current version, without another look if the base was found
// to be that a moment ago.
func (s *secrets) onto(ctx context.Context, id string, base ref) (*history, version, error) {
	if m, ok := s.recall(id); ok && m.head.ref() == base && s.set.now().Sub(m.looked) < freshFor {
		return resume(s.log(id), m.position), m.head, nil
	}
	return s.look(ctx, id)
}

// prune destroys old versions. What goes wrong is left to the next save.
func (s *secrets) prune(ctx context.Context, h *history, head version) {
	if s.set.now().UnixMilli() < s.noPrune.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pruneWithin)
	defer cancel()
	var f *fault
	// Unauthenticated is denied too, but passes with a new token.
	if err := h.prune(ctx, head, s.set.now()); errors.As(err, &f) && f.grpc == codes.PermissionDenied {
		s.noPrune.Store(s.set.now().Add(noPruneFor).UnixMilli())
	}
}

// swap adds a version and remembers what came of it.
func (s *secrets) swap(ctx context.Context, id string, h *history, base ref, v version, fields map[string]json.RawMessage) (version, error) {
	log := s.log(id)
	log.fields, h.log = fields, log
	m, _ := s.recall(id)
	w := &swap{history: h, base: base, pause: s.set.sleep, nonce: rand.Text, fresh: func() bool {
		return m.head.ref() == base && s.set.now().Sub(m.read) < freshFor
	}}
	started := s.set.now()
	own, err := w.run(ctx, v)
	switch {
	case err == nil:
		s.remember(id, h, own, own.number, started, s.set.now())
	case errors.Is(err, driver.ErrConflict):
		// What was seen of the others need not be read again.
		if head, err := h.head(ctx); err == nil {
			s.remember(id, h, head, h.end, started, s.set.now())
		} else {
			s.forget(id)
		}
	}
	return own, err
}

// target is a secret that is to be created.
type target struct {
	id     string
	full   string // the encoded name if the ID holds a hash of it
	fields map[string]json.RawMessage
}

// turns is how often a creator tries to get hold of a name that others delete
// and create at the same time.
const turns = 12

// create stores the first version of a secret, or the next one over the mark of
// a deletion.
func (s *secrets) create(ctx context.Context, t target) (string, error) {
	wait := lookWait
	for range turns {
		h, head, err := s.look(ctx, t.id)
		switch {
		case err != nil:
			return "", err
		case live(head):
			return "", fmt.Errorf("%w: the secret exists", driver.ErrConflict)
		}
		base := head.ref()
		if head.state != stored {
			base = ref{number: h.end}
		}
		if h.end == 0 {
			if f := s.newSecret(ctx, t); f != nil {
				return "", f.give()
			}
		}
		own, err := s.swap(ctx, t.id, h, base, version{}, t.fields)
		if err == nil && head.deleted {
			err = s.revive(ctx, t.id, own)
		}
		switch {
		case err == nil:
			return own.ref().String(), nil
		case !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrNotFound):
			return "", err
		}
		// Somebody else was faster, or the secret was removed: look who and what.
		if errors.Is(err, driver.ErrNotFound) {
			s.forget(t.id)
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return "", err
		}
		wait = min(2*wait, time.Second)
	}
	return "", fmt.Errorf("%w: gave up: the secret is being deleted and created again and again", driver.ErrConflict)
}

// newSecret creates a secret without versions. That it exists already is as
// good; whether a call without an answer was carried out shows itself when the
// version is added.
func (s *secrets) newSecret(ctx context.Context, t target) *fault {
	secret := s.set.template()
	if t.full != "" {
		secret.Annotations = map[string]string{nameKey: t.full}
	}
	_, f := call(ctx, s.set, "CreateSecret", ifUnanswered, s.api.CreateSecret, &secretmanagerpb.CreateSecretRequest{
		Parent: s.set.parent(), SecretId: t.id, Secret: secret,
	})
	switch {
	case f == nil, f.grpc == codes.AlreadyExists, f.grpc == codes.Aborted:
		return nil
	case f.grpc == codes.FailedPrecondition: // A policy of the organization, or a key.
		f.kind = driver.ErrDenied
	}
	return f
}

// template is what a new secret looks like.
func (s *settings) template() *secretmanagerpb.Secret {
	secret := &secretmanagerpb.Secret{Labels: s.labels}
	switch {
	case s.location != "":
		secret.CustomerManagedEncryption = encryption(s.kmsKey)
	case len(s.replicas) > 0:
		managed := &secretmanagerpb.Replication_UserManaged{}
		for _, r := range s.replicas {
			managed.Replicas = append(managed.Replicas, &secretmanagerpb.Replication_UserManaged_Replica{
				Location: r.location, CustomerManagedEncryption: encryption(r.kmsKey),
			})
		}
		secret.Replication = &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_UserManaged_{UserManaged: managed}}
	default:
		automatic := &secretmanagerpb.Replication_Automatic{CustomerManagedEncryption: encryption(s.kmsKey)}
		secret.Replication = &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: automatic}}
	}
	return secret
}

func encryption(kmsKey string) *secretmanagerpb.CustomerManagedEncryption {
	if kmsKey == "" {
		return nil
	}
	return &secretmanagerpb.CustomerManagedEncryption{KmsKeyName: kmsKey}
}
