// The store in memory, and its URL.

package secretstore

import (
	"context"
	"errors"
	"net/url"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/memory"
)

// NewMemory returns a store that keeps its tokens in the memory of this process: the
// engine over an in-process driver, for tests and experiments. For options, use New with
// the driver of package driver/memory.
func NewMemory() *Store {
	c := defaults()
	c.name = "memory"
	return newStore(memory.New(), c)
}

func init() {
	tokenstore.Register("memory", func(_ context.Context, u *url.URL) (tokenstore.OpenStore, error) {
		if err := tokenstore.CheckParams(u); err != nil {
			return nil, err
		}
		if u.Opaque != "" || u.Host != "" || u.Path != "" {
			return nil, &tokenstore.Error{Store: "memory", Op: "open", Kind: tokenstore.ErrInvalidArgument,
				Err: errors.New(`the URL must be exactly "memory:"`)}
		}
		return NewMemory(), nil
	})
	tokenstore.Describe("memory", tokenstore.Usage{Example: "memory:", About: "in memory; lost on exit"})
}
