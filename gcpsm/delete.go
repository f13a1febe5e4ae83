package gcpsm

// A secret is removed in two steps. Its mark, a version that says "deleted", is
// written over the current version like any other; from then on the name is not
// found, and the older versions are destroyed. The mark keeps the count of the
// versions, so that a writer who has slept cannot take a new version 5 for the
// one that it has read.
//
// A mark, or a tombstone, that is a day old has outlived every writer, and the
// whole secret goes. DeleteSecret has a condition, the secret's etag, but adding
// a version does not change that. So whoever takes a marked name changes a label
// after its version is added: a remover that has looked at the etag before fails,
// and one that looks after that finds the version. Only if such a writer dies
// between the two, or its change fails, and another one writes over its version,
// all while one call of DeleteSecret is on its way, is something lost that was
// stored. So that call is never repeated without another look.

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

// removeAfter is how old a mark or a tombstone must be for its secret to go.
const removeAfter = 24 * time.Hour

// etagTries is how often a change that depends on an etag is tried: the etag
// that GetSecret gives may be outdated.
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

// erase destroys all versions before the current one, also if that was written
// a moment ago: who was at work sees by it what has happened.
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

// Delete marks the secret as deleted and destroys its older versions. If the
// secret was last written a day ago, as a tombstone that the repair sweeps, the
// whole secret is removed.
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
		return s.erase(ctx, id, h, head) // An earlier call came as far as the mark.
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

// old reports whether a version was written a day ago.
func old(v version, now time.Time) bool {
	return v.written > 0 && now.Sub(time.UnixMilli(v.written)) >= removeAfter
}

// remove removes a secret whose current version is the given mark, and reports
// whether it did. It is a courtesy: what goes wrong is left to the next repair,
// and the mark stays.
func (s *secrets) remove(ctx context.Context, id string, mark ref) bool {
	wait := lookWait
	for range etagTries {
		secret, f := call(ctx, s.set, "GetSecret", ifUnanswered, s.api.GetSecret, &secretmanagerpb.GetSecretRequest{Name: s.log(id).path})
		switch {
		case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
			return false
		case f == nil && (secret.GetEtag() == "" || secret.GetLabels()[managedByKey] != managedByValue):
			return false // Somebody else's, or a service without conditions.
		case f == nil:
			// The look comes after the etag.
			if _, head, err := s.look(ctx, id); err != nil || head.state != stored || head.ref() != mark {
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

func (s *secrets) deleteSecret(ctx context.Context, in *secretmanagerpb.DeleteSecretRequest, options ...callOption) (struct{}, error) {
	return struct{}{}, s.api.DeleteSecret(ctx, in, options...)
}

// label makes it known in listings that a secret is deleted. It is a hint only:
// a list looks at what has it.
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

// setState sets the label that says what a secret is.
func (s *secrets) setState(ctx context.Context, id string, secret *secretmanagerpb.Secret, state string) *fault {
	labels := maps.Clone(secret.GetLabels())
	if labels == nil { // It was created a moment ago.
		labels = maps.Clone(s.set.labels)
	}
	labels[stateKey] = state
	_, f := call(ctx, s.set, "UpdateSecret", ifUnanswered, s.api.UpdateSecret, &secretmanagerpb.UpdateSecretRequest{
		Secret:     &secretmanagerpb.Secret{Name: s.log(id).path, Labels: labels},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
	})
	return f
}

// revive ends the creation of a secret over a mark: the change of the label
// makes a removal fail that is under way. If the secret is not there any more,
// the removal was faster, and the version is gone with it. If the change fails in
// any other way, the version counts, but the removal may still take it.
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

// removals is how many marked secrets one Delete removes beside its own.
const removals = 2

// removeSome removes some secrets that were marked long ago, by whomever.
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

// maxMarks bounds the memory for marks.
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

// take takes out up to n marks.
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
	// keepFor is how long a version is kept after it was replaced: longer than
	// any operation takes that may want to know whether it was there.
	keepFor = 10 * time.Minute
	// maxPrune is how many versions one save destroys.
	maxPrune = 10
)

// prune destroys the versions before the one that a save is about to replace, if
// they were replaced long ago: when that one was written. It comes before the
// save, so that the new version can say up to where it was done, and nothing is
// left behind by those who die.
func (h *history) prune(ctx context.Context, base version, now time.Time) error {
	if !replacedLongAgo(base, now) {
		return nil
	}
	return h.destroyBefore(ctx, base.number, maxPrune)
}

// Prune destroys what saves have left of older versions, for example after many
// in a short time. One older version is no leftover: the next save destroys it.
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

// replacedLongAgo reports whether what the version replaced is not wanted any more.
func replacedLongAgo(v version, now time.Time) bool {
	return v.written > 0 && now.Sub(time.UnixMilli(v.written)) >= keepFor
}

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
