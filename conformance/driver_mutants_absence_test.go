package conformance_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/driver/memory"
)

// Wrong drivers that report absence without proof, and one that never returns.

// refusing is a driver with an answer of its own to a refused batch.
type refusing struct {
	memory.Batched
	answer func(m *memory.Secrets, names []string) ([]driver.Secret, error)
}

func (r *refusing) refused() driver.Secrets {
	return &mutant{Secrets: r.Secrets, batch: func(_ context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
		return r.answer(m, names)
	}}
}

func refusedWith(answer func(m *memory.Secrets, names []string) ([]driver.Secret, error)) func() driver.Secrets {
	return func() driver.Secrets { return &refusing{memory.New().Batched(), answer} }
}

// lost is a driver whose other container does not exist.
type lost struct {
	memory.Batched
	elsewhere driver.Secrets
}

// lostBy returns a driver that hides this in the methods that change replaces.
func lostBy(change func(*mutant)) func() driver.Secrets {
	return func() driver.Secrets {
		all := func(drivertest.Call) drivertest.Outcome { return drivertest.Outcome{Err: driver.ErrNoContainer} }
		right := drivertest.Inject(memory.New().Batched(), all)
		m := &mutant{
			Secrets: memory.New(),
			get: func(ctx context.Context, _ *memory.Secrets, name string) (driver.Secret, error) {
				return right.Get(ctx, name)
			},
			put: func(ctx context.Context, _ *memory.Secrets, s driver.Secret) (string, error) {
				return right.Put(ctx, s)
			},
			remove: func(ctx context.Context, _ *memory.Secrets, name, revision string) error {
				return right.Delete(ctx, name, revision)
			},
			list: func(ctx context.Context, _ *memory.Secrets, prefix string) iter.Seq2[string, error] {
				return right.List(ctx, prefix)
			},
			batch: func(context.Context, *memory.Secrets, []string) ([]driver.Secret, error) {
				return nil, driver.ErrNoContainer
			},
		}
		change(m)
		return &lost{memory.New().Batched(), m}
	}
}

func absenceMutants() []wrongDriver {
	return []wrongDriver{
		{"a refused batch is an empty one", "batch-refused", refusedWith(func(*memory.Secrets, []string) ([]driver.Secret, error) {
			return nil, nil
		})},
		{"a refused batch is not found", "batch-refused", refusedWith(func(*memory.Secrets, []string) ([]driver.Secret, error) {
			return nil, driver.ErrNotFound
		})},
		{"a refused batch makes every name not found", "batch-refused", refusedWith(func(_ *memory.Secrets, names []string) ([]driver.Secret, error) {
			var faults []error
			for _, name := range names {
				faults = append(faults, &driver.NameError{Name: name, Err: driver.ErrNotFound})
			}
			return nil, errors.Join(faults...)
		})},
		{"a refused batch leaves its last names out", "batch-refused", refusedWith(func(m *memory.Secrets, names []string) ([]driver.Secret, error) {
			return m.Batched().GetBatch(context.Background(), names[:1])
		})},
		{"a removed secret hides its batch", "batch-removed", batching(func(ctx context.Context, m *memory.Secrets, names []string) ([]driver.Secret, error) {
			for _, name := range names {
				if _, err := m.Get(ctx, name); err != nil {
					return nil, ctx.Err()
				}
			}
			return m.Batched().GetBatch(ctx, names)
		})},
		{"a missing container is a missing secret", "container-read", lostBy(func(m *mutant) { m.get = nil })},
		{"a missing container is an empty list", "container-read", lostBy(func(m *mutant) { m.list = nil })},
		{"a missing container is an empty batch", "container-read", lostBy(func(m *mutant) { m.batch = nil })},
		{"a missing container is throttled", "container-read", lostBy(func(m *mutant) {
			m.get = func(context.Context, *memory.Secrets, string) (driver.Secret, error) {
				return driver.Secret{}, driver.ErrUnavailable
			}
		})},
		{"a missing container is waited for", "container-read", lostBy(func(m *mutant) {
			m.get = func(ctx context.Context, _ *memory.Secrets, _ string) (driver.Secret, error) {
				<-ctx.Done()
				return driver.Secret{}, ctx.Err()
			}
		})},
		{"writes into no container", "container-write", lostBy(func(m *mutant) { m.put = nil })},
		{"a write finds no secret where there is no container", "container-write", lostBy(func(m *mutant) {
			m.put = func(context.Context, *memory.Secrets, driver.Secret) (string, error) { return "", driver.ErrNotFound }
		})},
		{"a write conflicts where there is no container", "container-write", lostBy(func(m *mutant) {
			m.put = func(context.Context, *memory.Secrets, driver.Secret) (string, error) { return "", driver.ErrConflict }
		})},
		{"deletes from no container", "container-write", lostBy(func(m *mutant) { m.remove = nil })},
	}
}

func restoreMutants() []wrongDriver {
	restoring := func(change func(*mutant)) func() driver.Secrets {
		return func() driver.Secrets {
			m := &mutant{Secrets: memory.New()}
			change(m)
			return m
		}
	}
	return []wrongDriver{
		{"does not see older data that was put back", "restored", restoring(func(m *mutant) {
			seen := map[string]driver.Secret{}
			m.put = func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
				r, err := m.Put(ctx, s)
				s.Revision = r
				seen[s.Name] = s
				return r, err
			}
			m.get = func(_ context.Context, _ *memory.Secrets, name string) (driver.Secret, error) { return seen[name], nil }
		})},
		{"overwrites data that was put back", "restored", restoring(func(m *mutant) {
			m.put = func(ctx context.Context, m *memory.Secrets, s driver.Secret) (string, error) {
				if got, err := m.Get(ctx, s.Name); err == nil && got.Restored {
					s.Revision = got.Revision
				}
				return m.Put(ctx, s)
			}
		})},
		{"does not report that data was put back", "restored-seen", restoring(func(m *mutant) {
			m.get = func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
				s, err := m.Get(ctx, name)
				s.Restored = false
				return s, err
			}
		})},
		{"reports all data as put back", "restored-seen", restoring(func(m *mutant) {
			m.get = func(ctx context.Context, m *memory.Secrets, name string) (driver.Secret, error) {
				s, err := m.Get(ctx, name)
				s.Restored = err == nil
				return s, err
			}
		})},
	}
}

// TestAbsenceMutantsAreToldApart shows that each of them is caught by the case for its
// fault, and by no other of these cases. On a clock that nobody waits for, the suite's patience
// is as long as it is by default.
func TestAbsenceMutantsAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := append(mutantOptions(), conformance.DriverOnly("batch-re*", "container-*", "restored*"), conformance.DriverPatience(time.Minute))
		for _, m := range absenceMutants() {
			for result := range conformance.RunDriver(t.Context(), func(context.Context) (driver.Secrets, error) { return m.make(), nil }, options...) {
				if failed := result.Outcome == conformance.Failed; failed != (result.Case == m.caughtBy) {
					t.Errorf("%s: %s", m.name, result)
				}
			}
		}
	})
}
