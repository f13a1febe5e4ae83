package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

func batchMutants() []wrongDriver {
	return []wrongDriver{
		{"a missing name is an error", "batch", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			var found []driver.Secret
			var faults []error
			for _, name := range names {
				s, err := m.Get(ctx, name)
				if err != nil {
					faults = append(faults, &driver.NameError{Name: name, Err: err})
					continue
				}
				found = append(found, s)
			}
			return found, errors.Join(faults...)
		})},
		{"a missing name is an empty secret", "batch", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets := make([]driver.Secret, len(names))
			for i, name := range names {
				secrets[i], _ = m.Get(ctx, name)
			}
			return secrets, ctx.Err()
		})},
		{"a batch of 20 at most", "batch-many", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			return m.Batched().GetBatch(ctx, names[:min(len(names), 20)])
		})},
		{"one fault hides the batch", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets, err := m.Batched().GetBatch(ctx, names)
			if err != nil {
				return nil, err
			}
			return secrets, nil
		})},
		{"a fault is ignored", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets, _ := m.Batched().GetBatch(ctx, names)
			return secrets, ctx.Err()
		})},
		{"a fault without its name", "batch-fault", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			secrets, err := m.Batched().GetBatch(ctx, names)
			if err != nil {
				err = fmt.Errorf("batch: %w", driver.ErrInvalid)
			}
			return secrets, err
		})},
	}
}

func retireMutants() []wrongDriver {
	return []wrongDriver{
		{"retires whatever is there", "retire-stale", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
			m.Remove(name)
			return nil
		})},
		{"retires a secret that was created later", "retire-reborn", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
			m.Remove(name)
			return nil
		})},
		{"compares, then retires", "retire-race", retiringBy(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if got, _ := m.Get(ctx, name); got.Revision != revision {
				return nil
			}
			for range 10 {
				runtime.Gosched()
			}
			m.Remove(name)
			return nil
		})},
		{"a retired name is lost", "retire", func() driver.Secrets { return reservingRetirer{newReserving()} }},
		{"a retired secret shows an older version", "retire", retiringBy(func(_ context.Context, m *memory.Secrets, name, _ string) error {
			m.Edit(name, []byte(`{"value":"fakecred-1"}`))
			return nil
		})},
		{"a retired missing name is created", "retire-missing", retiringBy(func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			if err := m.Delete(ctx, name, revision); err != nil {
				return err
			}
			m.Edit(name, grave)
			return nil
		})},
	}
}

func processMutants() []wrongDriver {
	return []wrongDriver{
		{"decides on a cached revision", "handles-stale", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
		{"remembers that a name is missing", "handles-new", func() driver.Secrets { return &doubting{Secrets: memory.New(), missing: map[string]bool{}} }},
		{"every process has its own secrets", "handles-read", func() driver.Secrets { return separate{memory.New()} }},
		{"does not see a person's edit", "person-edit", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
		{"data that is not JSON is unreadable", "person-text", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
			s, err := m.Get(ctx, name)
			if err == nil && !json.Valid(s.Data) {
				return driver.Secret{}, driver.ErrUnreadable
			}
			return s, err
		})},
		{"a person's numbers become floats", "person-object", getting(func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
			s, err := m.Get(ctx, name)
			s.Data = retyped(s.Data, func(v any) any {
				if _, ok := v.(float64); ok {
					return fmt.Sprint(v)
				}
				return v
			})
			return s, err
		})},
		{"does not see a person's deletion", "person-delete", remembering},
		{"creates over a person's secret", "person-taken", func() driver.Secrets { return &caching{Secrets: memory.New(), revisions: map[string]string{}} }},
	}
}
