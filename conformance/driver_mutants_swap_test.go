package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

func swapMutants() []wrongDriver {
	return []wrongDriver{
		{"lost compare", "put-stale", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			return checkThenWrite(ctx, m, s, func(string) bool { return s.Revision == "" })
		})},
		{"creates over an existing secret", "put-taken", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			return checkThenWrite(ctx, m, s, func(string) bool { return s.Revision != "" })
		})},
		{"replaces a missing secret", "put-gone", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			return checkThenWrite(ctx, m, s, func(current string) bool { return current != "" })
		})},
		{"compares, then writes", "concurrent-replace", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			return checkThenWrite(ctx, m, s, func(string) bool { return true })
		})},
		{"compares, then writes: counter", "concurrent-count", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			return checkThenWrite(ctx, m, s, func(string) bool { return true })
		})},
		{"looks, then creates", "concurrent-new", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			if s.Revision != "" {
				return m.Put(ctx, s)
			}
			return checkThenWrite(ctx, m, s, func(string) bool { return true })
		})},
		{"conflict reported as an unknown outcome", "concurrent-replace", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if errors.Is(err, driver.ErrConflict) {
				err = driver.ErrUnavailable
			}
			return r, err
		})},
		{"an outcome is unknown, and the loser's data stored", "concurrent-replace", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if errors.Is(err, driver.ErrConflict) {
				if got, getErr := m.Get(ctx, s.Name); getErr == nil {
					s.Revision = got.Revision
					_, _ = m.Put(ctx, s)
				}
				err = driver.ErrUnavailable
			}
			return r, err
		})},
		{"a write that is throttled has happened", "put-new", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			_, err := m.Put(ctx, s)
			if err == nil {
				err = driver.ErrThrottled
			}
			return "", err
		})},
		{"conflict reported as not found", "put-stale", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if errors.Is(err, driver.ErrConflict) {
				err = driver.ErrNotFound
			}
			return r, err
		})},
		{"conflict that is also not found", "put-gone", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if errors.Is(err, driver.ErrConflict) {
				err = fmt.Errorf("%w: %w", driver.ErrConflict, driver.ErrNotFound)
			}
			return r, err
		})},
		{"error without a sentinel", "put-taken", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if err != nil {
				err = errConflictText
			}
			return r, err
		})},
		{"empty revision", "put-new", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			_, err := m.Put(ctx, s)
			return "", err
		})},
		{"returns the revision before", "put-current", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			r, err := m.Put(ctx, s)
			if err == nil && s.Revision != "" {
				return s.Revision, nil
			}
			return r, err
		})},
		{"an unchanged write is left out", "same-data", putting(func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
			if got, err := m.Get(ctx, s.Name); err == nil && got.Revision == s.Revision && string(got.Data) == string(s.Data) {
				return got.Revision, nil
			}
			return m.Put(ctx, s)
		})},
	}
}

func revisionMutants() []wrongDriver {
	return []wrongDriver{
		{"revision is a hash of the data", "aba", func() driver.Secrets { return newModel(func(_ int, data []byte) string { return hashOf(data) }) }},
		{"revision is a hash of the data: same data", "same-data", func() driver.Secrets { return newModel(func(_ int, data []byte) string { return hashOf(data) }) }},
		{"versions start again after a deletion", "recreate", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},
		{"versions start again after a deletion: late writer", "tombstone", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},
		{"versions start again after a deletion: race", "concurrent-recreate", func() driver.Secrets { return newModel(func(n int, _ []byte) string { return fmt.Sprint(n) }) }},
	}
}

func deleteMutants() []wrongDriver {
	return []wrongDriver{
		{"deletes whatever is there", "delete-stale", removing(func(ctx context.Context, m *memory.Secrets, name, _ string) error {
			m.Remove(name)
			return ctx.Err()
		})},
		{"compares, then deletes", "concurrent-delete", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if got, err := m.Get(ctx, name); err == nil && got.Revision != revision {
				return driver.ErrConflict
			}
			for range 10 {
				runtime.Gosched()
			}
			m.Remove(name)
			return nil
		})},
		{"a secret deleted by another process is a conflict", "concurrent-delete-all", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if _, err := m.Get(ctx, name); errors.Is(err, driver.ErrNotFound) {
				return nil
			}
			for range 10 {
				runtime.Gosched()
			}
			if _, err := m.Get(ctx, name); errors.Is(err, driver.ErrNotFound) {
				return driver.ErrConflict
			}
			return m.Delete(ctx, name, revision)
		})},
		{"a deletion is forgotten", "concurrent-delete-all", removing(func(ctx context.Context, _ *memory.Secrets, _, _ string) error { return ctx.Err() })},
		{"cannot be read while others write", "concurrent-count", func() driver.Secrets {
			var reads atomic.Int64
			return getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
				if reads.Add(1)%20 == 0 {
					return driver.Secret{}, driver.ErrUnavailable
				}
				return m.Get(ctx, name)
			})()
		}},
		{"no revision deletes", "delete-unread", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if revision == "" {
				m.Remove(name)
				return nil
			}
			return m.Delete(ctx, name, revision)
		})},
		{"missing is an error", "delete-missing", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if _, err := m.Get(ctx, name); err != nil {
				return err
			}
			return m.Delete(ctx, name, revision)
		})},
		{"a stale deletion is ignored", "delete-reborn", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if err := m.Delete(ctx, name, revision); !errors.Is(err, driver.ErrConflict) {
				return err
			}
			return nil
		})},
		{"deletes the names below", "names-depth", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			err := m.Delete(ctx, name, revision)
			if err == nil {
				for _, below := range namesOf(m, name+"/") {
					m.Remove(below)
				}
			}
			return err
		})},
		{"leaves an empty secret", "delete", removing(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			_, err := m.Put(ctx, driver.Secret{Name: name, Data: []byte(`{}`), Revision: revision})
			return err
		})},
		{"put after delete is not allowed", "recreate", func() driver.Secrets { return newReserving() }},
	}
}
