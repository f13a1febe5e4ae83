package conformance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/tokenstore"
)

// wrongStreams get Tokens wrong.
func wrongStreams() []wrongStore {
	stream := func(f func(ctx context.Context, s *reference, yield func(token, error) bool)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{stream: f})
	}
	each := func(ctx context.Context, s *reference, yield func(token, error) bool, do func(i int, t token, err error) (token, error)) {
		i := 0
		for t, err := range s.Tokens(ctx) {
			if t, err = do(i, t, err); !yield(t, err) {
				return
			}
			i++
		}
	}
	return []wrongStore{
		{"yields no token", "stream", stream(func(context.Context, *reference, func(token, error) bool) {})},
		{"ends after a page", "stream-many", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			i := 0
			for t, err := range s.Tokens(ctx) {
				if i++; i > 100 || !yield(t, err) {
					return
				}
			}
		})},
		{"begins each page with the last of the one before", "stream-many", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			i := 0
			for t, err := range s.Tokens(ctx) {
				if i++; !yield(t, err) || i%100 == 0 && !yield(t, err) {
					return
				}
			}
		})},
		{"yields credentials shortened", "stream", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			each(ctx, s, yield, func(_ int, t token, err error) (token, error) { t.GrantToken = ""; return t, err })
		})},
		{"yields an error for an empty store", "stream-empty", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			if tokens, _ := s.GetTokens(ctx); len(tokens) == 0 {
				yield(token{}, tokenstore.ErrNotFound)
			}
		})},
		{"goes on where it stopped", "stream-stop", wrongMethods(wrong{changeWith: func(w *wrong) {
			place := 0
			w.stream = func(ctx context.Context, s *reference, yield func(token, error) bool) {
				tokens, _ := s.GetTokens(ctx)
				for ; place < len(tokens); place++ {
					if !yield(tokens[place], nil) {
						return
					}
				}
			}
		}})},
		{"ends without a word when its context ends", "stream-context-midway", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			for t, err := range s.Tokens(ctx) {
				if ctx.Err() != nil || !yield(t, err) {
					return
				}
			}
		})},
		{"ignores its context", "stream-context-ended", stream(func(_ context.Context, s *reference, yield func(token, error) bool) {
			each(context.Background(), s, yield, func(_ int, t token, err error) (token, error) { return t, err })
		})},
		{"goes on after its context's error", "stream-context-ended", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			for t, err := range s.Tokens(ctx) {
				if !yield(t, err) || err != nil && !yield(token{}, err) {
					return
				}
			}
		})},
		{"misses tokens that are saved meanwhile", "concurrent-stream", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			before, _ := s.GetTokens(ctx)
			time.Sleep(time.Millisecond) // Others save meanwhile.
			for t, err := range s.Tokens(ctx) {
				if err == nil && !slices.Contains(before, t) {
					continue
				}
				if !yield(t, err) {
					return
				}
			}
		})},
		{"ends at a damaged token", "damaged-streamed", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			if _, err := s.GetTokens(ctx); err != nil {
				yield(token{}, err)
				return
			}
			each(ctx, s, yield, func(_ int, t token, err error) (token, error) { return t, err })
		})},
		{"passes over a damaged token", "damaged-streamed", stream(func(ctx context.Context, s *reference, yield func(token, error) bool) {
			for t, err := range s.Tokens(ctx) {
				if !errors.Is(err, tokenstore.ErrUnreadable) && !yield(t, err) {
					return
				}
			}
		})},
	}
}

// narrow is a store with the six methods only; wrapper wraps a store.
type (
	narrow  struct{ tokenstore.Store }
	wrapper struct{ tokenstore.Store }
)

func (w wrapper) Unwrap() tokenstore.Store { return w.Store }

// TestAbilitiesAreOptional shows that the cases of optional abilities are missing for a store
// that has only the six methods, and run for a store that wraps one that has them.
func TestAbilitiesAreOptional(t *testing.T) {
	for _, c := range slices.Concat(manyCases(), streamCases(), swapCases(), removeCases(), pingCases(), lookCases(), tellCases(), diagnoseCases()) {
		if result := outcomeOf(t, c.Name, func(d *data) tokenstore.Store { return narrow{&reference{data: d}} }); result.Outcome != Missing {
			t.Errorf("%s without the ability: %s", c.Name, result)
		}
		if result := outcomeOf(t, c.Name, func(d *data) tokenstore.Store { return wrapper{&reference{data: d}} }, WithPatience(time.Minute)); result.Outcome != Passed {
			t.Errorf("%s with a wrapper: %s", c.Name, result)
		}
	}
}
