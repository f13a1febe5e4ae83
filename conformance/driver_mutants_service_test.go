package conformance_test

import (
	"context"
	"fmt"
	"iter"
	"path"
	"runtime"
	"strings"
	"time"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// pruner is the memory driver with a Prune.
type pruner struct {
	*memory.Secrets
	prune func(ctx context.Context, m *memory.Secrets, name string) (int, error)
}

func (p *pruner) Unwrap() driver.Secrets { return p.Secrets }

func (p *pruner) Prune(ctx context.Context, name string) (int, error) {
	return p.prune(ctx, p.Secrets, name)
}

func pruning(prune func(ctx context.Context, m *memory.Secrets, name string) (int, error)) func() driver.Secrets {
	return func() driver.Secrets { return &pruner{memory.New(), prune} }
}

// backwards is a Retirer whose window is below zero.
type backwards struct{ *retirer }

func (backwards) RetireWindow() time.Duration { return -time.Second }

// matching lists the names that a pattern matches, instead of those with a prefix.
func matching(matches func(prefix, name string) bool) func() driver.Secrets {
	return listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for name, err := range m.List(ctx, "") {
				if (err != nil || matches(prefix, name)) && !yield(name, err) {
					return
				}
			}
		}
	})
}

// serviceMutants are wrong in what one kind of service suggests: a pattern in SQL, a write of two
// calls, a size that another service has.
func serviceMutants() []wrongDriver {
	like := func(prefix, name string) bool {
		head := name[:min(len(name), len(prefix))]
		for i := range head {
			if prefix[i] != '_' && prefix[i] != head[i] {
				return false
			}
		}
		return len(head) == len(prefix)
	}
	glob := func(prefix, name string) bool {
		ok, err := path.Match(prefix+"*", name)
		return err == nil && ok || strings.HasPrefix(name, prefix)
	}
	return []wrongDriver{
		{"the prefix is a pattern of LIKE", "list-prefix-signs", matching(like)},
		{"the prefix is a pattern of a shell", "list-prefix-signs", matching(glob)},
		{"the prefix is made valid UTF-8", "list-prefix-signs", matching(func(prefix, name string) bool {
			return strings.HasPrefix(name, strings.ToValidUTF8(prefix, "\ufffd"))
		})},
		{"cuts off at 64 KiB", "data-large", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
			s, err := m.Get(ctx, name)
			s.Data = s.Data[:min(len(s.Data), 64<<10)]
			return s, err
		})},
		{"says what it refuses after it has written", "data-large", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if len(s.Data) > 64<<10 {
				return "", driver.ErrTooLarge
			}
			return r, err
		})},
		{"a negative pace", "data-limit", func() driver.Secrets { return memory.New(memory.WithLimits(driver.Limits{CreatesPerSecond: -1})) }},
		{"stores that data was put back", "restored-seen", func() driver.Secrets {
			put := map[string]bool{}
			return &mutant{
				Secrets: memory.New(),
				put: func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
					put[s.Name] = s.Restored
					return m.Put(ctx, s)
				},
				get: func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
					s, err := m.Get(ctx, name)
					s.Restored = s.Restored || put[name]
					return s, err
				},
			}
		}},
		{"a batch does not report that data was put back", "restored-seen", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets, err := m.Batched().GetBatch(ctx, names)
			for i := range secrets {
				secrets[i].Restored = false
			}
			return secrets, err
		})},
		{"a secret is missing while it is replaced", "concurrent-read", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			got, err := m.Get(ctx, s.Name)
			if err != nil || s.Revision == "" || got.Revision != s.Revision {
				return m.Put(ctx, s)
			}
			m.Remove(s.Name)
			for range 10 {
				runtime.Gosched()
			}
			return m.Edit(s.Name, s.Data), nil
		})},
		{"reads the revision before the data", "concurrent-read", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
			before, err := m.Get(ctx, name)
			for range 10 {
				runtime.Gosched()
			}
			if s, later := m.Get(ctx, name); err == nil && later == nil {
				s.Revision = before.Revision
				return s, nil
			}
			return before, err
		})},
		{"a batch reads the revisions before the data", "concurrent-read", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets, err := m.Batched().GetBatch(ctx, names)
			for i, s := range secrets {
				for range 10 {
					runtime.Gosched()
				}
				if later, err := m.Get(ctx, s.Name); err == nil {
					secrets[i].Data = later.Data
				}
			}
			return secrets, err
		})},
		{"a window below zero", "retire", func() driver.Secrets {
			return backwards{&retirer{memory.New(), func(ctx context.Context, m *memory.Secrets, name, revision string) error {
				return m.Delete(ctx, name, revision)
			}}}
		}},
		{"recovers in an ended context", "recover", recovering(func(_ *memory.Secrets, name string) ([]byte, error) {
			if strings.HasSuffix(name, "/b") {
				return nil, fmt.Errorf("%w: it was never stored", driver.ErrNotFound)
			}
			return []byte(`{"value":"fakecred-2"}`), nil
		})},
		{"prunes the current version", "prune", pruning(func(ctx context.Context, m *memory.Secrets, name string) (int, error) {
			if ctx.Err() == nil {
				m.Remove(name)
			}
			return 1, ctx.Err()
		})},
		{"prunes by writing", "prune", pruning(func(ctx context.Context, m *memory.Secrets, name string) (int, error) {
			if s, err := m.Get(ctx, name); err == nil {
				m.Edit(name, s.Data)
			}
			return 1, ctx.Err()
		})},
		{"there is nothing to prune", "prune", pruning(func(ctx context.Context, m *memory.Secrets, name string) (int, error) {
			_, err := m.Get(ctx, name)
			return 0, err
		})},
		{"prunes in an ended context", "prune", pruning(func(context.Context, *memory.Secrets, string) (int, error) { return 0, nil })},
	}
}
