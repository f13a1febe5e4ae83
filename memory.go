package tokenstore

import (
	"context"
	"errors"
	"net/url"

	"example.com/tokenstore/driver/memory"
)

// NewMemory returns a store that keeps its tokens in this process's memory: the
// engine over an in-process driver, for tests and for trying it out. To give it
// options, use NewSecretStore over package driver/memory.
func NewMemory() *SecretStore {
	c := defaults()
	c.name = "memory"
	return newSecretStore(memory.New(), c)
}

func init() {
	Register("memory", func(_ context.Context, u *url.URL) (OpenStore, error) {
		if err := CheckParams(u); err != nil {
			return nil, err
		}
		if u.Opaque != "" || u.Host != "" || u.Path != "" {
			return nil, &Error{Store: "memory", Op: "open", Kind: ErrInvalidArgument,
				Err: errors.New("a memory store has no name: write memory: and nothing behind it")}
		}
		return NewMemory(), nil
	})
}
