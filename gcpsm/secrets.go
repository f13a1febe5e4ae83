// The driver, its reads, and what a process remembers: reading a known secret takes one
// access, which shows that there is no newer version.

package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/internal/keylock"
)

// secrets is the driver.
type secrets struct {
	api     API
	set     *settings
	noPrune atomic.Int64 // epoch milliseconds: saves destroy nothing until then, as the role may not

	lastAdded atomic.Pointer[added] // by this process

	mu         sync.Mutex
	locks      keylock.Locks
	known      map[string]memory
	knownBytes int       // of the data in known
	mostKnown  int       // how many secrets known may hold
	cleared    time.Time // when known was last emptied because it was full

	marks marks
}

var (
	_ driver.Secrets = (*secrets)(nil)
	_ driver.Limited = (*secrets)(nil)
	_ driver.Retirer = (*secrets)(nil)
	_ driver.Pruner  = (*secrets)(nil)
	_ driver.Dated   = (*secrets)(nil)
)

func newSecrets(api API, set *settings) *secrets {
	return &secrets{
		api: api, set: set, known: map[string]memory{}, mostKnown: maxKnown,
		marks: marks{ids: map[string]bool{}},
	}
}

// Format writes the driver's name and project for every verb, and never the data it
// remembers.
func (s *secrets) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gcpsm driver of "+s.set.parent())
}

// writesPerSecond is how many secrets can be created or replaced a second: a project has 600
// writes a minute, and each takes two, a create and an add, or an add and the destruction
// of the version before.
const writesPerSecond = 600. / 60 / 2

// Limits returns the maximum size of a secret's data and the writes that a project makes
// per second. The service has no daily limit on writes.
func (s *secrets) Limits() driver.Limits {
	return driver.Limits{MaxSize: maxSize, CreatesPerSecond: writesPerSecond, UpdatesPerSecond: writesPerSecond}
}

// log returns the versions of a secret.
func (s *secrets) log(id string) *remoteLog {
	return &remoteLog{secrets: s, path: s.set.parent() + "/secrets/" + id}
}

// Get returns the current version. A secret that has none, or is marked as deleted,
// is not found.
func (s *secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	id, _, err := encodeName(name)
	if err != nil {
		return driver.Secret{}, err
	}
	_, head, err := s.look(ctx, id)
	if err != nil {
		return driver.Secret{}, err
	}
	if !live(head) {
		return driver.Secret{}, driver.ErrNotFound
	}
	return driver.Secret{
		Name: name, Data: head.data, Revision: head.ref().String(), Restored: head.restored(),
	}, nil
}

// added is a version that this process has added, and when, by the service's clock.
type added struct {
	path string
	at   time.Time
}

// Written returns when this process last added a version to the secret, if it has added to no
// other since: to ask the service takes a permission that no role has.
func (s *secrets) Written(ctx context.Context, name, _ string) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	id, _, err := encodeName(name)
	if err != nil {
		return time.Time{}, err
	}
	if last := s.lastAdded.Load(); last != nil && last.path == s.log(id).path {
		return last.at, nil
	}
	return time.Time{}, nil
}

// live reports whether the current version is a secret, not absent or a mark.
func live(head version) bool { return head.state == stored && !head.deleted }

const (
	// knownFor is how long the data of a version may be served from memory when a
	// look finds no newer version. When another process deletes the whole secret,
	// this one notices after that time.
	knownFor = time.Minute
	// hintAfter is how long a number is remembered as a place to start from.
	hintAfter = time.Hour
	// freshFor is how recently a version must have been read to rule out that the
	// secret was deleted and created again since.
	freshFor = 5 * time.Second
	// maxKnown and maxKnownBytes limit how many secrets are remembered, and their data.
	maxKnown, maxKnownBytes = 20_000, 16 << 20
)

// memory is what this process knows of a secret.
type memory struct {
	position
	read   time.Time // when the current version itself was last read or written
	looked time.Time // when it was last confirmed as the current one
}

// look finds the current version, from memory where possible.
func (s *secrets) look(ctx context.Context, id string) (*history, version, error) {
	if err := ctx.Err(); err != nil {
		return nil, version{}, err
	}
	started := s.set.now()
	h, read, err := s.start(ctx, id, started)
	if err != nil {
		return nil, version{}, err
	}
	head, err := h.head(ctx)
	if errors.Is(err, errEndless) {
		s.forget(id) // "latest" may be closer to the end.
	}
	if err != nil {
		return nil, version{}, err
	}
	s.remember(id, h, head, h.end, read, started)
	return h, head, nil
}

// start returns a history to read on from, and when its first version was read.
func (s *secrets) start(ctx context.Context, id string, now time.Time) (*history, time.Time, error) {
	m, ok := s.recall(id)
	age := now.Sub(m.read)
	if ok && age < knownFor && age >= 0 {
		return resume(s.log(id), m.position), m.read, nil
	}
	if ok && age < hintAfter {
		// The secret may have been deleted, and another one created.
		v, err := s.log(id).access(ctx, m.head.number)
		switch {
		case err != nil:
			return nil, now, err
		case v.state == gone:
			m.head.state = gone
			return resume(s.log(id), m.position), now, nil
		case v.state == stored && v.ref() == m.head.ref():
			return resume(s.log(id), m.position), now, nil
		}
	}
	h := newHistory(s.log(id))
	return h, now, h.begin(ctx)
}

// remember records the current version. If there is no room, it empties what is known, but at
// most once in knownFor: a list of more secrets than it holds would otherwise find none of
// them known the next time.
func (s *secrets) remember(id string, h *history, head version, end int64, read, looked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if head.state != stored {
		s.drop(id)
		return
	}
	if old, ok := s.known[id]; ok && old.looked.After(looked) {
		return // Another call looked later.
	}
	s.drop(id)
	if len(s.known) >= s.mostKnown || s.knownBytes+len(head.data) > maxKnownBytes {
		if since := looked.Sub(s.cleared); 0 <= since && since < knownFor {
			return
		}
		clear(s.known)
		s.knownBytes, s.cleared = 0, looked
	}
	s.known[id] = memory{position{head, end, h.floor}, read, looked}
	s.knownBytes += len(head.data)
}

// drop forgets a secret. The caller holds the lock.
func (s *secrets) drop(id string) {
	s.knownBytes -= len(s.known[id].head.data)
	delete(s.known, id)
}

func (s *secrets) recall(id string) (memory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.known[id]
	return m, ok
}

func (s *secrets) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
}

// acquire waits until this process has no other write to the secret in progress:
// of several concurrent writes, all but one would be lost.
func (s *secrets) acquire(ctx context.Context, id string) (release func(), err error) {
	return s.locks.Lock(ctx, id)
}

// callOption is an option of one call of Google's clients.
type callOption = gax.CallOption

// pageSize is how many secrets one call of ListSecrets returns.
const pageSize = 1000

// maxPages is more than any project can need, even with many empty pages.
const maxPages = 100_000

// List pages through ListSecrets, whose result may be minutes out of date.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		seen, tokens := map[string]bool{}, map[string]bool{}
		in := &secretmanagerpb.ListSecretsRequest{Parent: s.set.parent(), PageSize: pageSize}
		if filter := filterFor(prefix); filter != "" {
			in.Filter = "name:" + filter
		}
		for {
			page, f := call(ctx, s.set, "ListSecrets", ifUnanswered, s.page, in)
			if f != nil {
				yield("", f.give())
				return
			}
			if tokens[page.next] || len(tokens) == maxPages {
				yield("", fmt.Errorf("%w: ListSecrets: gave up: the service keeps returning further pages", driver.ErrUnavailable))
				return
			}
			for _, secret := range page.secrets {
				name, ok, err := s.listed(ctx, secret)
				if err != nil {
					yield("", err)
					return
				}
				if !ok || seen[name] || !strings.HasPrefix(name, prefix) {
					continue
				}
				seen[name] = true
				if err := ctx.Err(); err != nil {
					yield("", err)
					return
				}
				if !yield(name, nil) {
					return
				}
			}
			if page.next == "" {
				if err := ctx.Err(); err != nil {
					yield("", err)
				}
				return
			}
			tokens[page.next] = true
			in.PageToken = page.next
		}
	}
}

// page is one page of a list.
type page struct {
	secrets []*secretmanagerpb.Secret
	next    string
	err     error
}

// page makes one call of ListSecrets. It does not use the client's pagers: they keep
// going while pages are empty, and the REST client's ignore the context.
func (s *secrets) page(ctx context.Context, in *secretmanagerpb.ListSecretsRequest, options ...callOption) (page, error) {
	pages := s.api.ListSecrets(ctx, in, options...)
	size, token := int(in.GetPageSize()), in.GetPageToken()
	reply := make(chan page, 1)
	go func() {
		var p page
		p.secrets, p.next, p.err = pages.InternalFetch(size, token)
		reply <- p
	}()
	select {
	case p := <-reply:
		return p, p.err
	case <-ctx.Done():
		return page{}, ctx.Err()
	}
}

// listed returns the logical name of a secret; false if it has none or is deleted.
func (s *secrets) listed(ctx context.Context, secret *secretmanagerpb.Secret) (string, bool, error) {
	id := secret.GetName()[strings.LastIndexByte(secret.GetName(), '/')+1:]
	name, ok := decodeName(id, secret.GetAnnotations()[nameKey])
	if !ok || secret.GetLabels()[stateKey] != stateDeleted {
		return name, ok, nil
	}
	_, head, err := s.look(ctx, id)
	switch {
	case errors.Is(err, driver.ErrDenied):
		return "", false, nil
	case err == nil && !live(head):
		s.marks.add(id)
	}
	return name, live(head), err
}
