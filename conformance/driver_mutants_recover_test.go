package conformance_test

import (
	"context"
	"fmt"

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

func recoverMutants() []wrongDriver {
	nothing := fmt.Errorf("%w: it was destroyed", driver.ErrNotFound)
	return []wrongDriver{
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
