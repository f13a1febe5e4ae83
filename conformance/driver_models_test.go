package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// mutantOptions are the options of the memory driver, with handles for the mutants that
// concern several processes.
func mutantOptions() []conformance.DriverOption {
	return append(memoryOptions(),
		conformance.DriverHandle(func(_ context.Context, s driver.Secrets) (driver.Secrets, error) {
			if p, ok := s.(interface{ process() driver.Secrets }); ok {
				return p.process(), nil
			}
			return s, nil
		}),
		conformance.DriverRefusedBatch(func(ctx context.Context, s driver.Secrets) (driver.Secrets, error) {
			if m, ok := s.(*refusing); ok {
				return m.refused(), nil
			}
			return refusedBatch(ctx, s)
		}),
		conformance.DriverNoContainer(func(ctx context.Context, s driver.Secrets) (driver.Secrets, error) {
			if m, ok := s.(*lost); ok {
				return m.elsewhere, nil
			}
			return nowhere(ctx, s)
		}),
		conformance.DriverPatience(50*time.Millisecond),
	)
}

// model is a small driver whose revisions are a function of the data and of the number of
// writes since the secret was created. It keeps what it was given, and returns that.
type model struct {
	revision func(n int, data []byte) string
	mu       sync.Mutex
	stored   map[string]driver.Secret
	writes   map[string]int
}

func newModel(revision func(int, []byte) string) *model {
	return &model{revision: revision, stored: map[string]driver.Secret{}, writes: map[string]int{}}
}

func (m *model) Get(ctx context.Context, name string) (driver.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.stored[name]
	switch {
	case ctx.Err() != nil:
		return driver.Secret{}, ctx.Err()
	case driver.CheckName(name) != nil:
		return driver.Secret{}, driver.CheckName(name)
	case !ok:
		return driver.Secret{}, driver.ErrNotFound
	}
	return s, nil
}

func (m *model) Put(ctx context.Context, s driver.Secret) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case driver.CheckName(s.Name) != nil:
		return "", driver.CheckName(s.Name)
	case !strings.HasPrefix(strings.TrimSpace(string(s.Data)), "{") || !json.Valid(s.Data):
		return "", driver.ErrInvalid
	case m.stored[s.Name].Revision != s.Revision:
		return "", driver.ErrConflict
	}
	m.writes[s.Name]++
	s.Revision = m.revision(m.writes[s.Name], s.Data)
	m.stored[s.Name] = s
	return s.Revision, nil
}

func (m *model) Delete(ctx context.Context, name, revision string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.stored[name]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case driver.CheckName(name) != nil:
		return driver.CheckName(name)
	case ok && s.Revision != revision:
		return driver.ErrConflict
	}
	delete(m.stored, name)
	delete(m.writes, name)
	return nil
}

func (m *model) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.stored))
		m.mu.Unlock()
		for _, name := range names {
			if ctx.Err() == nil && strings.HasPrefix(name, prefix) && !yield(name, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield("", ctx.Err())
		}
	}
}

// rereading returns a driver that reads into one buffer.
func rereading() driver.Secrets {
	var buffer []byte
	var mu sync.Mutex
	return &mutant{Secrets: memory.New(), get: func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
		s, err := m.Get(ctx, name)
		mu.Lock()
		defer mu.Unlock()
		buffer = append(buffer[:0], s.Data...)
		s.Data = buffer
		return s, err
	}}
}

// remembering returns a driver that lists and returns deleted secrets.
func remembering() driver.Secrets {
	var mu sync.Mutex
	seen := map[string]driver.Secret{}
	return &mutant{
		Secrets: memory.New(),
		put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				s.Revision = r
				seen[s.Name] = s
			}
			return r, err
		},
		get: func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
			s, err := m.Get(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if old, ok := seen[name]; ok && errors.Is(err, driver.ErrNotFound) {
				return old, nil
			}
			return s, err
		},
		list: func(_ context.Context, _ *memory.Secrets, prefix string) iter.Seq2[string, error] {
			mu.Lock()
			defer mu.Unlock()
			names := slices.Sorted(maps.Keys(seen))
			return yieldAll(slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) }))
		},
	}
}

// newReserving returns a driver that reserves deleted names forever.
func newReserving() *mutant {
	var mu sync.Mutex
	reserved := map[string]bool{}
	return &mutant{
		Secrets: memory.New(),
		put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if reserved[s.Name] {
				return "", driver.ErrConflict
			}
			return m.Put(ctx, s)
		},
		remove: func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			mu.Lock()
			defer mu.Unlock()
			if _, err := m.Get(ctx, name); err != nil {
				return nil
			}
			err := m.Delete(ctx, name, revision)
			reserved[name] = err == nil
			return err
		},
	}
}

// retiringBy returns the memory driver with a Retire.
func retiringBy(retire func(context.Context, *memory.Secrets, string, string) error) func() driver.Secrets {
	return func() driver.Secrets { return &retirer{Secrets: memory.New(), retire: retire} }
}

type retirer struct {
	*memory.Secrets
	retire func(context.Context, *memory.Secrets, string, string) error
}

func (r *retirer) Unwrap() driver.Secrets { return r.Secrets }
func (r *retirer) Retire(ctx context.Context, name, revision string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.retire(ctx, r.Secrets, name, revision)
}
func (r *retirer) RetireWindow() time.Duration { return 0 }

// reservingRetirer retires by a deletion that reserves the name forever.
type reservingRetirer struct{ *mutant }

func (r reservingRetirer) Retire(ctx context.Context, name, revision string) error {
	return r.Delete(ctx, name, revision)
}
func (r reservingRetirer) RetireWindow() time.Duration { return 0 }

// limitless reports a limit that it does not enforce.
type limitless struct{ driver.Secrets }

func (limitless) Limits() driver.Limits { return driver.Limits{MaxSize: 1000} }

// caching is a process that compares with the revision that it has itself seen last.
type caching struct {
	*memory.Secrets
	mu        sync.Mutex
	revisions map[string]string
}

func (c *caching) Unwrap() driver.Secrets { return c.Secrets }

func (c *caching) process() driver.Secrets {
	return &caching{Secrets: c.Secrets, revisions: map[string]string{}}
}

func (c *caching) Put(ctx context.Context, s driver.Secret) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Revision != c.revisions[s.Name] {
		return "", driver.ErrConflict
	}
	c.revisions[s.Name] = c.Edit(s.Name, s.Data)
	return c.revisions[s.Name], ctx.Err()
}

// doubting is a process that remembers which names it has not found.
type doubting struct {
	*memory.Secrets
	mu      sync.Mutex
	missing map[string]bool
}

func (d *doubting) process() driver.Secrets {
	return &doubting{Secrets: d.Secrets, missing: map[string]bool{}}
}

func (d *doubting) Get(ctx context.Context, name string) (driver.Secret, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.missing[name] {
		return driver.Secret{}, driver.ErrNotFound
	}
	s, err := d.Secrets.Get(ctx, name)
	d.missing[name] = errors.Is(err, driver.ErrNotFound)
	return s, err
}

// separate is a process with secrets of its own.
type separate struct{ *memory.Secrets }

func (s separate) process() driver.Secrets { return separate{memory.New()} }
