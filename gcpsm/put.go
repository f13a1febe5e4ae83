// A Put adds a version; swap.go makes a compare-and-swap of that. A new name needs a
// secret first, and a deleted name is used again by replacing its mark.

package gcpsm

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

// pruneWithin is how long destroying old versions may delay a save.
const pruneWithin = 5 * time.Second

// noPruneFor is how long saves destroy nothing after the service denied it. Roles
// change, so it is tried again later.
const noPruneFor = time.Hour

// Put replaces the version that the revision names.
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
		return "", fmt.Errorf("%w: the revision is not from this store", driver.ErrConflict)
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
		return version{}, fmt.Errorf("%w: the secret no longer exists", driver.ErrConflict)
	}
	return own, err
}

// goes forgets a secret to which no version could be added because it does not
// exist. It returns nil if another look confirms that, and else an error.
func (s *secrets) goes(ctx context.Context, id string) error {
	s.forget(id)
	_, _, err := s.look(ctx, id)
	return err
}

// onto returns the current version, from memory if the base was the current one a few
// seconds ago.
func (s *secrets) onto(ctx context.Context, id string, base ref) (*history, version, error) {
	if m, ok := s.recall(id); ok && m.head.ref() == base && s.set.now().Sub(m.looked) < freshFor {
		return resume(s.log(id), m.position), m.head, nil
	}
	return s.look(ctx, id)
}

// prune destroys old versions. On a failure they are left to the next save.
func (s *secrets) prune(ctx context.Context, h *history, head version) {
	if s.set.now().UnixMilli() < s.noPrune.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pruneWithin)
	defer cancel()
	var f *fault
	// Unauthenticated also maps to ErrDenied, but a new token fixes it.
	if err := h.prune(ctx, head, s.set.now()); errors.As(err, &f) && f.grpc == codes.PermissionDenied {
		s.noPrune.Store(s.set.now().Add(noPruneFor).UnixMilli())
	}
}

// swap adds a version and remembers the result.
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
		// No need to read again what the swap saw of the others.
		if head, err := h.head(ctx); err == nil {
			s.remember(id, h, head, h.end, started, s.set.now())
		} else {
			s.forget(id)
		}
	}
	return own, err
}

// target is a secret to be created.
type target struct {
	id     string
	full   string // the encoded name, if the ID holds a hash of it
	fields map[string]json.RawMessage
}

// turns is how often create tries to get hold of a name that others keep deleting
// and creating.
const turns = 12

// create stores the first version of a secret, or the next one after the mark of a
// deletion.
func (s *secrets) create(ctx context.Context, t target) (string, error) {
	wait := lookWait
	for range turns {
		h, head, err := s.look(ctx, t.id)
		switch {
		case err != nil:
			return "", err
		case live(head):
			return "", fmt.Errorf("%w: the secret already exists", driver.ErrConflict)
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
		// Another writer was faster, or the secret was removed: look again.
		if errors.Is(err, driver.ErrNotFound) {
			s.forget(t.id)
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return "", err
		}
		wait = min(2*wait, time.Second)
	}
	return "", fmt.Errorf("%w: gave up: the secret is being deleted and recreated concurrently", driver.ErrConflict)
}

// newSecret creates a secret without versions. An existing one is fine, and a call
// without an answer needs no check: adding the version shows whether it was applied.
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
	case f.grpc == codes.FailedPrecondition: // An organization policy, or a key.
		f.kind = driver.ErrDenied
	}
	return f
}

// template returns a new secret's metadata.
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
