// A secret is removed in two steps. First a mark, a version that says "deleted",
// replaces the current version like any other write; from then on the name is not
// found, and the older versions are destroyed. The mark keeps the version numbers
// growing, so that a stalled writer cannot mistake a new version 5 for the one that
// it read.
//
// A mark or tombstone that is a day old has outlived every writer, and the whole
// secret is removed. DeleteSecret takes the secret's etag as a condition, but adding a
// version does not change the etag. So a writer that uses a marked name again changes
// a label after adding its version: a remover that read the etag earlier fails, and one
// that looks later finds the version. A stored version is lost only if the writer dies
// between the two or its label change fails, and another writer replaces its version,
// all during one call of DeleteSecret. So that call is never repeated without another
// look.

package gcpsm

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/tokenstore/driver"
)

// removeAfter is how old a mark or tombstone must be before its secret is removed.
const removeAfter = 24 * time.Hour

// etagTries is how often a change with an etag is tried: GetSecret may return an
// outdated one.
const etagTries = 3

// RetireWindow is zero: versions are destroyed by number.
func (s *secrets) RetireWindow() time.Duration { return 0 }

// Retire destroys the versions before the tombstone's.
func (s *secrets) Retire(ctx context.Context, name, revision string) error {
	id, _, err := encodeName(name)
	if err != nil {
		return err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	tombstone, ok := parseRef(revision)
	if !ok {
		return ctx.Err()
	}
	h, head, err := s.onto(ctx, id, tombstone)
	if err != nil || head.state != stored || head.ref() != tombstone {
		return err
	}
	return s.erase(ctx, id, h, head)
}

// erase destroys all versions before the current one, even one written a moment before:
// concurrent writers notice that theirs is gone.
func (s *secrets) erase(ctx context.Context, id string, h *history, head version) error {
	err := h.destroyBefore(ctx, head.number, int(head.number))
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.known[id]; ok && m.head.ref() == head.ref() {
		m.floor = max(m.floor, h.floor)
		s.known[id] = m
	}
	return err
}

// Delete marks the secret as deleted and destroys its older versions. If its last
// version is a day old, as that of a tombstone which the repair removes, it removes the
// whole secret.
func (s *secrets) Delete(ctx context.Context, name, revision string) error {
	id, _, err := encodeName(name)
	if err != nil {
		return err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	err = s.delete(ctx, id, revision)
	if err == nil {
		s.removeSome(ctx)
	}
	return err
}

func (s *secrets) delete(ctx context.Context, id, revision string) error {
	base, ok := parseRef(revision)
	h, head, err := s.onto(ctx, id, base)
	switch {
	case err != nil:
		return err
	case head.state != stored:
		return nil
	case head.deleted:
		return s.erase(ctx, id, h, head) // An earlier call got as far as the mark.
	case !ok || head.ref() != base:
		return conflict()
	}
	now := s.set.now()
	mark, err := s.swap(ctx, id, h, base, version{deleted: true}, nil)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return s.goes(ctx, id)
	case errors.Is(err, driver.ErrConflict):
		if _, head, lookErr := s.look(ctx, id); lookErr == nil && !live(head) {
			return nil
		}
		return err
	case err != nil:
		return err
	}
	if err := s.erase(ctx, id, h, mark); err != nil {
		return err
	}
	if !old(head, now) || !s.remove(ctx, id, mark.ref()) {
		s.label(ctx, id, mark.ref())
	}
	return nil
}

// old reports whether a version was written at least a day ago.
func old(v version, now time.Time) bool { return v.olderThan(removeAfter, now) }

// remove removes a secret whose current version is the given mark, and reports
// whether it did. A failure does no harm: the mark stays, and the next repair tries
// again.
func (s *secrets) remove(ctx context.Context, id string, mark ref) bool {
	wait := lookWait
	for range etagTries {
		secret, f := call(ctx, s.set, "GetSecret", ifUnanswered, s.api.GetSecret, &secretmanagerpb.GetSecretRequest{Name: s.log(id).path})
		switch {
		case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
			return false
		case f == nil && (secret.GetEtag() == "" || secret.GetLabels()[managedByKey] != managedByValue):
			return false // Not ours, or a service without conditions.
		case f == nil:
			// The look must come after the etag.
			_, head, err := s.look(ctx, id)
			if err != nil || head.state != stored || head.ref() != mark || s.keeps(secret, head) {
				return false
			}
			_, f := call(ctx, s.set, "DeleteSecret", never, s.deleteSecret, &secretmanagerpb.DeleteSecretRequest{
				Name: s.log(id).path, Etag: secret.GetEtag(),
			})
			switch {
			case f != nil && errors.Is(f.kind, driver.ErrThrottled):
				wait = max(wait, quotaWait)
			case f == nil, !errors.Is(f.kind, driver.ErrConflict):
				s.forget(id)
				return f == nil
			}
		}
		if s.set.sleep(ctx, wait) != nil {
			return false
		}
		wait *= 2
	}
	return false
}

// keeps reports whether the delay of the versions that a mark's writer destroyed is not over:
// with the secret they would be gone at once.
func (s *secrets) keeps(secret *secretmanagerpb.Secret, mark version) bool {
	delay := secret.GetVersionDestroyTtl()
	return delay != nil && s.set.now().Sub(time.UnixMilli(mark.written)) < delay.AsDuration()
}

func (s *secrets) deleteSecret(ctx context.Context, in *secretmanagerpb.DeleteSecretRequest, options ...callOption) (struct{}, error) {
	return struct{}{}, s.api.DeleteSecret(ctx, in, options...)
}

// label marks a secret as deleted for listings. It is only a hint: a list looks at
// every secret that has it.
func (s *secrets) label(ctx context.Context, id string, mark ref) {
	s.marks.add(id)
	secret, f := call(ctx, s.set, "GetSecret", ifUnanswered, s.api.GetSecret, &secretmanagerpb.GetSecretRequest{Name: s.log(id).path})
	if f != nil && !errors.Is(f.kind, driver.ErrNotFound) {
		return
	}
	if _, head, err := s.look(ctx, id); err == nil && head.state == stored && head.ref() == mark {
		_ = s.setState(ctx, id, secret, stateDeleted)
	}
}

// setState sets the label that holds a secret's state.
func (s *secrets) setState(ctx context.Context, id string, secret *secretmanagerpb.Secret, state string) *fault {
	labels := maps.Clone(secret.GetLabels())
	if labels == nil { // It was created just before.
		labels = maps.Clone(s.set.labels)
	}
	labels[stateKey] = state
	_, f := call(ctx, s.set, "UpdateSecret", ifUnanswered, s.api.UpdateSecret, &secretmanagerpb.UpdateSecretRequest{
		Secret:     &secretmanagerpb.Secret{Name: s.log(id).path, Labels: labels},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
	})
	return f
}

// revive completes the creation of a secret after a mark: changing the label makes a
// removal in progress fail. If the secret no longer exists, the removal was faster, and
// the version is gone too. If the change fails in any other way, the version counts,
// but the removal may still delete it.
func (s *secrets) revive(ctx context.Context, id string, own version) error {
	s.marks.remove(id)
	secret, f := call(ctx, s.set, "GetSecret", ifUnanswered, s.api.GetSecret, &secretmanagerpb.GetSecretRequest{Name: s.log(id).path})
	if f != nil && f.ended() {
		return f.give()
	}
	f = s.setState(ctx, id, secret, "used-"+strings.ToLower(own.nonce))
	switch {
	case f == nil:
		return nil
	case errors.Is(f.kind, driver.ErrNotFound), f.ended():
		return f.give()
	}
	return &uncertain{f}
}

// removals is how many marked secrets one Delete removes in addition to its own.
const removals = 2

// removeSome removes some secrets that any process marked long ago.
func (s *secrets) removeSome(ctx context.Context) {
	for _, id := range s.marks.take(removals) {
		_, head, err := s.look(ctx, id)
		switch {
		case err != nil:
			return
		case head.state == stored && head.deleted && old(head, s.set.now()):
			s.remove(ctx, id, head.ref())
		case head.state == stored && head.deleted:
			s.marks.add(id)
		}
	}
}

// maxMarks limits how many marks are remembered.
const maxMarks = 10_000

// marks are the IDs of secrets that were seen to be deleted. They are only hints.
type marks struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (m *marks) add(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ids) < maxMarks {
		m.ids[id] = true
	}
}

func (m *marks) remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ids, id)
}

// take removes and returns up to n marks.
func (m *marks) take(n int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range m.ids {
		if len(ids) == n {
			break
		}
		ids = append(ids, id)
		delete(m.ids, id)
	}
	return ids
}

const (
	// keepFor is how long a version is kept after it was replaced: longer than any
	// operation that may have to check whether it existed.
	keepFor = 10 * time.Minute
	// maxPrune is how many versions one save destroys.
	maxPrune = 10
)

// prune destroys the versions before the one that a save is about to replace, if that
// one was written long ago, and so replaced them long ago. It runs before the save, so
// that the new version can record how far it got, and a crash leaves nothing behind.
func (h *history) prune(ctx context.Context, base version, now time.Time) error {
	if !replacedLongAgo(base, now) {
		return nil
	}
	return h.destroyBefore(ctx, base.number, maxPrune)
}

// Prune destroys old versions that saves have left, for example after many in a short
// time. It leaves a single old version to the next save.
func (s *secrets) Prune(ctx context.Context, name string) (int, error) {
	id, _, err := encodeName(name)
	if err != nil {
		return 0, err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return 0, err
	}
	defer release()
	h, head, err := s.look(ctx, id)
	if err != nil || !live(head) || head.number-h.floor <= 1 || !replacedLongAgo(head, s.set.now()) {
		return 0, err
	}
	from := h.floor
	err = s.erase(ctx, id, h, head)
	return int(h.floor - from), err
}

// replacedLongAgo reports whether the version that v replaced is no longer needed.
func replacedLongAgo(v version, now time.Time) bool { return v.olderThan(keepFor, now) }

// destroyBefore destroys versions below a number, the oldest first.
func (h *history) destroyBefore(ctx context.Context, number int64, limit int) error {
	for ; h.floor < number && limit > 0; limit-- {
		if err := h.log.destroy(ctx, version{number: h.floor}); err != nil {
			return err
		}
		h.floor++
	}
	return nil
}
