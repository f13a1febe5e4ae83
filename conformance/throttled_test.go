package conformance

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/tokenstore"
)

// throttling is a reference that throttles a part of the calls of every kind, as a service
// does that limits them. A call for many tokens may be throttled when a part is done.
type throttling struct {
	*reference

	mu     *sync.Mutex // of random
	random *rand.Rand
}

func newThrottling(d *data) *throttling {
	return &throttling{&reference{d}, new(sync.Mutex), rand.New(rand.NewPCG(1, 2))}
}

// full throttles one of four calls.
func (s *throttling) full(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil && s.random.IntN(4) == 0 {
		return fmt.Errorf("%w: by the test", tokenstore.ErrThrottled)
	}
	return nil
}

func (s *throttling) FindToken(ctx context.Context, query token) (token, error) {
	if err := s.full(ctx); err != nil {
		return token{}, err
	}
	return s.reference.FindToken(ctx, query)
}

func (s *throttling) FindTokenByID(ctx context.Context, id string) (token, error) {
	if err := s.full(ctx); err != nil {
		return token{}, err
	}
	return s.reference.FindTokenByID(ctx, id)
}

func (s *throttling) FindNoted(ctx context.Context, query token) (noted, error) {
	if err := s.full(ctx); err != nil {
		return noted{}, err
	}
	return s.reference.FindNoted(ctx, query)
}

func (s *throttling) SaveToken(ctx context.Context, t token) (token, error) {
	if err := s.full(ctx); err != nil {
		return token{}, err
	}
	return s.reference.SaveToken(ctx, t)
}

func (s *throttling) SwapToken(ctx context.Context, old noted, next token, note string) (now noted, swapped bool, err error) {
	if err := s.full(ctx); err != nil {
		return noted{}, false, err
	}
	return s.reference.SwapToken(ctx, old, next, note)
}

func (s *throttling) Ping(ctx context.Context) error {
	if err := s.full(ctx); err != nil {
		return err
	}
	return s.reference.Ping(ctx)
}

// SaveTokens may have saved some of the tokens, or all of them.
func (s *throttling) SaveTokens(ctx context.Context, tokens []token) ([]token, error) {
	if err := s.full(ctx); err != nil {
		half := len(tokens) / 2
		saved, _ := s.reference.SaveTokens(ctx, tokens[:half])
		return append(saved, make([]token, len(tokens)-half)...), err
	}
	return s.reference.SaveTokens(ctx, tokens)
}

func (s *throttling) GetTokens(ctx context.Context) ([]token, error) {
	if err := s.full(ctx); err != nil {
		return nil, err
	}
	return s.reference.GetTokens(ctx)
}

// Tokens may be throttled before any token, and after each.
func (s *throttling) Tokens(ctx context.Context) iter.Seq2[token, error] {
	return func(yield func(token, error) bool) {
		if err := s.full(ctx); err != nil {
			yield(token{}, err)
			return
		}
		n := 0
		for t, err := range s.reference.Tokens(ctx) {
			if !yield(t, err) {
				return
			}
			if n++; n > 3 {
				continue
			}
			if err := s.full(ctx); err != nil {
				yield(token{}, err)
				return
			}
		}
	}
}

// DeleteToken may have deleted the token, but not its older versions.
func (s *throttling) DeleteToken(ctx context.Context, id string) error {
	if id == "" || s.full(ctx) == nil {
		return s.reference.DeleteToken(ctx, id)
	}
	if err := s.full(ctx); err != nil {
		return err
	}
	_ = s.reference.DeleteToken(ctx, id)
	return fmt.Errorf("%w: by the test, after the delete", tokenstore.ErrThrottled)
}

// DeleteTokens may have deleted some.
func (s *throttling) DeleteTokens(ctx context.Context) error {
	if err := s.full(ctx); err != nil {
		if rows, _ := s.reference.GetTokens(ctx); len(rows) > 0 {
			_ = s.reference.DeleteToken(ctx, rows[0].ID)
		}
		return err
	}
	return s.reference.DeleteTokens(ctx)
}

// DeleteUnchanged may delete some, and may have deleted one that it says was throttled.
func (s *throttling) DeleteUnchanged(ctx context.Context, tokens []token) []error {
	faults := make([]error, len(tokens))
	for i, t := range tokens {
		faults[i] = s.full(ctx)
		if faults[i] == nil || i%2 == 1 {
			if err := s.reference.DeleteUnchanged(ctx, []token{t})[0]; faults[i] == nil {
				faults[i] = err
			}
		}
	}
	return faults
}

// TestThrottled: a store whose service throttles it keeps the contract, so it passes.
func TestThrottled(t *testing.T) {
	opened := func(s tokenstore.Store) *data { return s.(*throttling).data }
	Store(t, func(testing.TB) tokenstore.Store { return newThrottling(&data{}) },
		WithReopen(func(_ context.Context, s tokenstore.Store) (tokenstore.Store, error) {
			return newThrottling(opened(s)), nil
		}),
		WithForeign(noForeign),
		WithPerson(
			func(_ context.Context, s tokenstore.Store, id string) ([]byte, error) {
				return opened(s).personReads(id)
			},
			func(_ context.Context, s tokenstore.Store, id string, written []byte) error {
				return opened(s).personWrites(id, written)
			},
		),
		WithUnseen(func(context.Context) (tokenstore.Store, error) { return newThrottling(&data{blind: true}), nil }),
		WithKeeping(func(_ context.Context, s tokenstore.Store) error { opened(s).keeps = true; return nil }))
	Linearizable(t, func() func(testing.TB) tokenstore.Store {
		all := &data{}
		return func(testing.TB) tokenstore.Store { return newThrottling(all) }
	}(), LinearizableOptions{Operations: 400})
}

// shut is a reference that throttles every call.
type shut struct {
	*reference
	calls int
}

func (s *shut) fault() error {
	s.calls++
	return fmt.Errorf("%w: by the test", tokenstore.ErrThrottled)
}

func (s *shut) SaveToken(context.Context, token) (token, error) { return token{}, s.fault() }
func (s *shut) FindNoted(context.Context, token) (noted, error) { return noted{}, s.fault() }
func (s *shut) GetTokens(context.Context) ([]token, error)      { return nil, s.fault() }

// TestThrottledForEver: a call of a store that throttles all of them ends soon, with the error,
// also where a case is patient.
func TestThrottledForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, crowded := range []bool{false, true} {
			trial := newTrial(t.Context(), "case")
			for name, call := range map[string]func(*handle) error{
				"patient save": func(h *handle) error { _, err := h.patient(t.Context(), r1); return err },
				"patient find": func(h *handle) error { _, err := trial.patientNoted(h, r1); return err },
				"list":         func(h *handle) error { _, err := h.GetTokens(t.Context()); return err },
			} {
				store := &shut{reference: &reference{&data{}}}
				err := call(&handle{store: store, trial: trial, crowded: crowded})
				if !throttled(err) || store.calls > 300 {
					t.Errorf("%s: %v after %d calls", name, err, store.calls)
				}
			}
		}
	})
}
