package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"example.com/tokenstore/conformance"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
)

// recoverer is the memory driver with a Retire that keeps everything, and a Recover.
type recoverer struct {
	*retirer
	recover func(m *memory.Secrets, name string) ([]byte, error)
}

func (r *recoverer) Recover(_ context.Context, name string) ([]byte, error) {
	return r.recover(r.Secrets, name)
}

func recovering(f func(m *memory.Secrets, name string) ([]byte, error)) func() driver.Secrets {
	return func() driver.Secrets {
		keep := func(context.Context, *memory.Secrets, string, string) error { return nil }
		return &recoverer{&retirer{Secrets: memory.New(), retire: keep}, f}
	}
}

// keeping is a driver whose service keeps for a while what a person deletes.
type keeping struct {
	*retirer
	mu      sync.Mutex
	removed map[string][]byte
	asked   func(k *keeping, ctx context.Context, name string) (bool, error)
}

func newKeeping(asked func(k *keeping, ctx context.Context, name string) (bool, error)) func() driver.Secrets {
	return func() driver.Secrets {
		destroy := func(ctx context.Context, m *memory.Secrets, name, revision string) error {
			return m.Delete(ctx, name, revision)
		}
		return &keeping{retirer: &retirer{Secrets: memory.New(), retire: destroy}, removed: map[string][]byte{}, asked: asked}
	}
}

func (k *keeping) Remove(name string) bool {
	got, err := k.Get(context.Background(), name)
	if err == nil {
		k.mu.Lock()
		k.removed[name] = got.Data
		k.mu.Unlock()
	}
	return k.retirer.Remove(name)
}

func (k *keeping) Recover(ctx context.Context, name string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if data, ok := k.removed[name]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%w: it was destroyed", driver.ErrNotFound)
}

func (k *keeping) Scheduled(ctx context.Context, name string) (bool, error) {
	return k.asked(k, ctx, name)
}

// whether is the right answer.
func (k *keeping) whether(ctx context.Context, name string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.removed[name]
	return ok, ctx.Err()
}

func TestDriverScheduled(t *testing.T) {
	conformance.Driver(t, func(testing.TB) driver.Secrets { return newKeeping((*keeping).whether)() },
		append(memoryOptions(), conformance.DriverOnly("person-*", "recover"))...)
}

func recoverMutants() []wrongDriver {
	nothing := fmt.Errorf("%w: it was destroyed", driver.ErrNotFound)
	return []wrongDriver{
		{"takes every absent secret for scheduled", "person-scheduled", newKeeping(func(k *keeping, ctx context.Context, name string) (bool, error) {
			_, err := k.Get(ctx, name)
			return errors.Is(err, driver.ErrNotFound), ctx.Err()
		})},
		{"takes none for scheduled", "person-scheduled", newKeeping(func(_ *keeping, ctx context.Context, _ string) (bool, error) { return false, ctx.Err() })},
		{"takes all for scheduled once one is", "person-scheduled", newKeeping(func(k *keeping, ctx context.Context, _ string) (bool, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			return len(k.removed) > 0, ctx.Err()
		})},
		{"asks although the context has ended", "person-scheduled", newKeeping(func(k *keeping, ctx context.Context, name string) (bool, error) {
			return k.whether(context.WithoutCancel(ctx), name)
		})},
		{"brings back what it is asked about", "person-scheduled", newKeeping(func(k *keeping, ctx context.Context, name string) (bool, error) {
			ok, err := k.whether(ctx, name)
			if ok {
				k.Edit(name, k.removed[name])
			}
			return ok, err
		})},
		{"recovers an older version", "recover", recovering(func(*memory.Secrets, string) ([]byte, error) { return []byte(`{"value":"fakecred-1"}`), nil })},
		{"recovers the tombstone", "recover", recovering(func(*memory.Secrets, string) ([]byte, error) { return grave, nil })},
		{"does not say why nothing is kept", "recover", recovering(func(*memory.Secrets, string) ([]byte, error) { return nil, driver.ErrNotFound })},
		{"brings the secret back by itself", "recover", recovering(func(m *memory.Secrets, name string) ([]byte, error) {
			m.Edit(name, []byte(`{"value":"fakecred-2"}`))
			return nil, nothing
		})},
		{"fails", "recover", recovering(func(*memory.Secrets, string) ([]byte, error) { return nil, driver.ErrUnavailable })},
	}
}
