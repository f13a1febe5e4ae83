package secretstore

import (
	"context"
	"errors"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// sized is an index that notes what it is told to expect.
type sized struct {
	index.Index
	tokens, hints int
	err           error
}

func (x *sized) Expect(_ context.Context, tokens, hints int) error {
	x.tokens, x.hints = x.tokens+tokens, x.hints+hints
	return x.err
}

func TestExpect(t *testing.T) {
	c := defaults()
	x := &sized{}
	c.newIndex = func(driver.Secrets, index.Config) index.Index { return x }
	s := newStore(memory.New(), c)
	if err := errors.Join(s.Expect(t.Context(), 0), s.Expect(t.Context(), 70)); err != nil || x.tokens != 70 || x.hints != 140 {
		t.Errorf("%v: %d tokens, %d hints", err, x.tokens, x.hints)
	}
	x.err = driver.ErrQuota
	if err := s.Expect(t.Context(), 1); !errors.Is(err, tokenstore.ErrQuota) {
		t.Errorf("%v", err)
	}
	if err := newStore(memory.New(), defaults()).Expect(t.Context(), 70); err != nil {
		t.Errorf("an index that needs no preparation: %v", err)
	}
}
