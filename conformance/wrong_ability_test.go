package conformance

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"example.com/tokenstore"
)

// wrongAbilities get an optional ability wrong in a way that a store of other parts than this
// project's may.
func wrongAbilities() []wrongStore {
	return slices.Concat(wrongRemovals(), wrongSwapRules(), wrongCalls(), wrongLooks(), wrongUndeletes(),
		wrongWarnings(), wrongIdentities(), wrongDiagnoses(), wrongMends())
}

// removing returns a store with its own DeleteUnchanged.
func removing(remove func(ctx context.Context, s *reference, tokens []token) []error) func(*data) tokenstore.Store {
	return wrongMethods(wrong{remove: remove})
}

func wrongRemovals() []wrongStore {
	// different returns a store that leaves a token if more than its credentials differs.
	different := func(differs func(stored, seen token) bool) func(*data) tokenstore.Store {
		return removing(func(ctx context.Context, s *reference, tokens []token) []error {
			seen := slices.Clone(tokens)
			for i, t := range seen {
				if stored, err := s.FindTokenByID(context.WithoutCancel(ctx), t.ID); err == nil && differs(stored, t) {
					seen[i].GrantToken += "."
				}
			}
			return s.DeleteUnchanged(ctx, seen)
		})
	}
	return []wrongStore{
		{"deletes what lacks a credential that is stored", "remove-lacking", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			seen := slices.Clone(tokens)
			for i, t := range seen {
				stored, _ := s.FindTokenByID(context.WithoutCancel(ctx), t.ID) // There may be none.
				seen[i] = t.Fill(stored)
			}
			return s.DeleteUnchanged(ctx, seen)
		})},
		{"leaves what has another user", "remove-other-fields", different(func(a, b token) bool { return a.UserName != b.UserName })},
		{"leaves what has another client", "remove-other-fields", different(func(a, b token) bool { return a.ClientID != b.ClientID })},
		{"leaves what has another client secret", "remove-other-fields", different(func(a, b token) bool { return a.ClientSecret != b.ClientSecret })},
		{"leaves what has another redirect URL", "remove-other-fields", different(func(a, b token) bool { return a.RedirectURL != b.RedirectURL })},
		{"leaves what has another expiry", "remove-other-fields", different(func(a, b token) bool { return !a.Expiry.Equal(b.Expiry) })},
		{"leaves what has a note", "swap-note-removed", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			seen := slices.Clone(tokens)
			for i, t := range seen {
				if n, err := s.FindNoted(context.WithoutCancel(ctx), token{ID: t.ID}); err == nil && n.Note != "" {
					seen[i].GrantToken += "."
				}
			}
			return s.DeleteUnchanged(ctx, seen)
		})},
		{"keeps the note of what it deletes", "swap-note-removed", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			notes, _ := locked(s, func(d *data) (map[string]string, error) {
				return maps.Clone(d.notes), nil
			})
			faults := s.DeleteUnchanged(ctx, tokens)
			_, _ = locked(s, func(d *data) (bool, error) { d.notes = notes; return true, nil })
			return faults
		})},
		{"deletes a token of the same content under another ID", "remove-moved", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			seen := slices.Clone(tokens)
			for i, t := range seen {
				if stored, err := s.FindToken(context.WithoutCancel(ctx), token{UserName: t.UserName}); err == nil && t.ID != "" {
					seen[i].ID = stored.ID
				}
			}
			return s.DeleteUnchanged(ctx, seen)
		})},
		{"compares with what it has saved itself", "handles-remove", wrongMethods(wrong{changeWith: func(w *wrong) {
			var mu sync.Mutex
			saved := map[string]token{}
			w.save = func(ctx context.Context, s *reference, t token) (token, error) {
				mu.Lock()
				defer mu.Unlock()
				now, err := s.SaveToken(ctx, t)
				saved[now.ID] = now
				return now, err
			}
			w.remove = func(ctx context.Context, s *reference, tokens []token) []error {
				mu.Lock()
				defer mu.Unlock()
				seen := slices.Clone(tokens)
				for i, t := range seen {
					stored, err := s.FindTokenByID(context.WithoutCancel(ctx), t.ID)
					if own, ok := saved[t.ID]; ok && err == nil && tokenstore.SameCredentials(own, t) {
						seen[i] = stored
					}
				}
				return s.DeleteUnchanged(ctx, seen)
			}
		}})},
		{"compares, and deletes later", "concurrent-remove", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			faults := make([]error, len(tokens))
			for i, t := range tokens {
				stored, err := s.FindTokenByID(ctx, t.ID)
				if faults[i] = err; err == nil && !tokenstore.SameCredentials(stored, t) {
					faults[i] = tokenstore.ErrConflict
				}
				if wait(50_000); faults[i] == nil {
					faults[i] = s.DeleteToken(ctx, t.ID)
				}
			}
			return faults
		})},
		{"tells the errors in the order of their kinds", "remove-missing", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			faults := s.DeleteUnchanged(ctx, tokens)
			slices.SortStableFunc(faults, func(a, b error) int {
				switch {
				case (a == nil) == (b == nil):
					return 0
				case a == nil:
					return -1
				}
				return 1
			})
			return faults
		})},
		{"stops at the first token that was changed", "remove-changed-access", removing(func(ctx context.Context, s *reference, tokens []token) []error {
			var faults []error
			var failed error
			for _, t := range tokens {
				if failed == nil || !errors.Is(failed, tokenstore.ErrConflict) {
					failed = s.DeleteUnchanged(ctx, []token{t})[0]
				}
				faults = append(faults, failed)
			}
			return faults
		})},
	}
}

func wrongSwapRules() []wrongStore {
	finding := func(find func(ctx context.Context, s *reference, q token) (noted, error)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{findNoted: find})
	}
	return []wrongStore{
		{"lets an empty credential match any", "swap-lacking", comparing(func(_ *data, stored, old noted) noted {
			old.OAuthToken = old.Fill(stored.OAuthToken)
			return old
		})},
		{"lets an empty note match any", "swap-lost-note", comparing(func(_ *data, stored, old noted) noted {
			if old.Note == "" {
				old.Note = stored.Note
			}
			return old
		})},
		{"swaps a token of the same content under another ID", "swap-moved", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, swapped, err := s.SwapToken(ctx, old, next, note)
			if moved, ferr := s.FindToken(context.WithoutCancel(ctx), token{UserName: old.UserName}); errors.Is(err, tokenstore.ErrNotFound) && ferr == nil {
				old.ID = moved.ID
				return s.SwapToken(ctx, old, next, note)
			}
			return now, swapped, err
		}})},
		{"finds noted tokens of other users", "swap-find", finding(func(ctx context.Context, s *reference, q token) (noted, error) {
			n, err := s.FindNoted(ctx, q)
			if errors.Is(err, tokenstore.ErrNotFound) {
				q.UserName = ""
				return s.FindNoted(ctx, q)
			}
			return n, err
		})},
		{"finds noted tokens by ID only if one is given", "swap-find", finding(func(ctx context.Context, s *reference, q token) (noted, error) {
			if q.ID != "" {
				q = token{ID: q.ID}
			}
			return s.FindNoted(ctx, q)
		})},
		{"finds noted tokens without client values", "swap-find", finding(func(ctx context.Context, s *reference, q token) (noted, error) {
			n, err := s.FindNoted(ctx, q)
			if errors.Is(err, tokenstore.ErrNotFound) && q.UserName == "" {
				q.ClientID, q.ClientSecret = c1, s1
				return s.FindNoted(ctx, q)
			}
			return n, err
		})},
		{"drops the expiry of an access token that stays", "swap-expiry", becoming(func(now *noted, stored noted, next token) {
			if next.AccessToken == stored.AccessToken && next.Expiry.IsZero() {
				now.Expiry = next.Expiry
			}
		})},
		{"ignores the expiry", "swap-fields", becoming(func(now *noted, stored noted, next token) {
			if next.AccessToken == "" {
				now.Expiry = stored.Expiry
			}
		})},
		{"has swapped and says that it has not", "swap-note", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, _, err := s.SwapToken(ctx, old, next, note)
			return now, false, err
		}})},
		{"deletes the notes of the other tokens", "swap-note-dropped", wrongMethods(wrong{deleteOne: func(ctx context.Context, s *reference, id string) error {
			err := s.DeleteToken(ctx, id)
			_, _ = locked(s, func(d *data) (bool, error) { d.notes = nil; return true, nil }) // It returns no error.
			return err
		}})},
		{"drops the note with the access token", "swap-note-kept", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			n, _ := s.FindNoted(ctx, t)
			saved, err := s.SaveToken(ctx, t)
			if n.AccessToken != saved.AccessToken {
				_, _ = locked(s, func(d *data) (bool, error) { return true, d.SetNote(saved, "") })
			}
			return saved, err
		}})},
	}
}

// wrongCalls get other calls of optional abilities wrong.
func wrongCalls() []wrongStore {
	return []wrongStore{
		{"takes its tokens before the first step", "stream-late", func(d *data) tokenstore.Store { return early{&reference{data: d}} }},
		{"holds its lock while it yields", "stream-stop", wrongMethods(wrong{stream: func(ctx context.Context, s *reference, yield func(token, error) bool) {
			tokens, _ := s.GetTokens(ctx)
			s.data.mu.Lock()
			defer s.data.mu.Unlock()
			for _, t := range tokens {
				if !yield(t, nil) {
					return
				}
			}
		}})},
		{"saves many in an ended context", "many-cancelled", wrongMethods(wrong{many: func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			return s.SaveTokens(context.WithoutCancel(ctx), tokens)
		}})},
		{"writes less than never", "swap-note", func(d *data) tokenstore.Store { return below{&reference{data: d}} }},
		{"writes when it is pinged", "ping", wrongMethods(wrong{ping: func(ctx context.Context, s *reference) error {
			_, _ = s.SaveToken(ctx, r2) // Only if it can.
			return s.Ping(ctx)
		}})},
	}
}

// early takes its tokens when Tokens is called.
type early struct{ *reference }

func (s early) Tokens(ctx context.Context) iter.Seq2[token, error] {
	private := newReference()
	private.data.rows, _ = s.GetTokens(ctx)
	return private.Tokens(ctx)
}

type below struct{ *reference }

func (below) WritesPerDay() int { return -1 }
