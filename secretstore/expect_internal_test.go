package secretstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/index"
)

// sized is an index that notes what it is told to expect.
type sized struct {
	index.Index
	tokens, hints int
	first         int // tokens of the first call
	err           error
}

func (x *sized) Expect(_ context.Context, tokens, hints int) error {
	if x.tokens == 0 {
		x.first = tokens
	}
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

// TestSaveTokensTellsTheIndexOfAll checks that the first group of a call makes the index large
// enough for the tokens that wait, too.
func TestSaveTokensTellsTheIndexOfAll(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := defaults()
	c.now, c.parallelism = func() time.Time { return now }, 1
	c.sleep = func(_ context.Context, d time.Duration) error {
		now = now.Add(d)
		return nil
	}
	x := &sized{}
	c.newIndex = func(secrets driver.Secrets, of index.Config) index.Index {
		x.Index = index.NewEntries(secrets, of)
		return x
	}
	s := newStore(memory.New(memory.WithLimits(driver.Limits{UpdatesPerSecond: 1})), c)
	const n = 500
	if s.most() >= n {
		t.Fatalf("a group may have %d tokens", s.most())
	}
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = tokenstore.OAuthToken{UserName: fmt.Sprint("user", i), RefreshToken: fmt.Sprint("refresh", i)}
	}
	if _, err := s.SaveTokens(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	if x.first != n {
		t.Errorf("the index was told of %d tokens, want %d", x.first, n)
	}
}
