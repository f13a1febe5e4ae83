package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/tokenstore"
)

// wrongWithPersons misjudge a person's edits.
func wrongWithPersons() []wrongStore {
	with := func(change func(*handling)) func(*data) tokenstore.Store {
		return func(d *data) tokenstore.Store {
			change(&d.wrongs)
			return &reference{data: d}
		}
	}
	return []wrongStore{
		{"treats damage as foreign", "damaged-text", with(func(h *handling) { h.damageIsForeign = true })},
		{"treats a copy of a token as that token", "damaged-copied", with(func(h *handling) { h.copyIsToken = true })},
		{"does not report damage in a list", "damaged-field", with(func(h *handling) { h.damageIsSilent = true })},
		{"lists nothing if there is damage", "damaged-field", wrongMethods(wrong{list: func(ctx context.Context, s *reference) ([]token, error) {
			tokens, err := s.GetTokens(ctx)
			if err != nil {
				return nil, err
			}
			return tokens, nil
		}})},
		{"finds nothing where there is damage", "damaged-field", wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			found, err := s.FindToken(ctx, q)
			if errors.Is(err, tokenstore.ErrUnreadable) {
				err = tokenstore.ErrNotFound
			}
			return found, err
		}})},
		{"refuses to save over damage", "damaged-empty-save", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			if _, err := s.FindToken(ctx, t); errors.Is(err, tokenstore.ErrUnreadable) {
				return token{}, err
			}
			return s.SaveToken(ctx, t)
		}})},
		{"drops the fields that the person wrote", "damaged-field-save", with(func(h *handling) { h.editIsDropped = true })},
		{"leaves damage in a delete", "damaged-note-delete", with(func(h *handling) { h.damageStays = true })},
		{"leaves damage in a delete of all", "damaged-note-delete-all", with(func(h *handling) { h.damageStaysInAll = true })},
		{"deletes a foreign secret as damaged", "stranger", with(func(h *handling) { h.strangerIsOurs = true })},
		{"treats a paste without id as foreign", "pasted", with(func(h *handling) { h.pasteIsForeign = true })},
		{"swaps two tokens with their secrets", "swapped", with(func(h *handling) { h.copyIsToken = true })},
		{"an invalid expiry costs the token", "expiry-by-hand", with(func(h *handling) { h.expiryIsDamage = true })},
		{"claims its own writes, but no edits", "edited", claiming(false)},
		{"does not see older data that was put back", "put-back", claiming(true)},
	}
}

// claiming finds by the keys that saves have claimed: those that a save sets and,
// if it sees edits, all keys of a row whose keys it has never written.
func claiming(seesEdits bool) func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		claimed, written := map[tokenstore.Key]bool{}, map[string]bool{}
		w.find = func(ctx context.Context, s *reference, q token) (token, error) {
			found, err := s.FindToken(ctx, q)
			if err == nil && q.ID == "" && q.UserName == "" {
				for _, k := range tokenstore.FindKeys(q) {
					if !claimed[k] {
						return token{}, tokenstore.ErrNotFound
					}
				}
			}
			return found, err
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			before, err := s.FindToken(ctx, t)
			saved, saveErr := s.SaveToken(ctx, t)
			if err == nil && seesEdits && !written[fmt.Sprint(tokenstore.KeysOf(before))] {
				t = saved
			}
			for _, k := range tokenstore.KeysOf(before) {
				claimed[k] = claimed[k] && tokenstore.Holds(saved, k)
			}
			for _, k := range tokenstore.KeysOf(t) {
				claimed[k] = true
			}
			written[fmt.Sprint(tokenstore.KeysOf(saved))] = true
			return saved, saveErr
		}
	}})
}

// wrongWaits wait forever, or believe an answer without checking it.
func wrongWaits() []wrongStore {
	unseen := func(ctx context.Context, s *reference, id string) bool {
		_, err := s.FindTokenByID(ctx, id)
		return errors.Is(err, tokenstore.ErrNotFound)
	}
	waits := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	return []wrongStore{
		{"waits for the token that it has saved", "unseen-save", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			saved, err := s.SaveToken(ctx, t)
			if err == nil && unseen(ctx, s, saved.ID) {
				err = waits(ctx)
			}
			return saved, err
		}})},
		{"waits for the tokens of a batch", "unseen-save-many", wrongMethods(wrong{many: func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			saved, err := s.SaveTokens(ctx, tokens)
			if len(saved) > 0 && unseen(ctx, s, saved[0].ID) {
				err = waits(ctx)
			}
			return saved, err
		}})},
		{"waits for a list to show the saved tokens", "unseen-list", wrongMethods(wrong{list: func(ctx context.Context, s *reference) ([]token, error) {
			tokens, err := s.GetTokens(ctx)
			if err == nil && len(tokens) < len(s.data.rows) {
				err = waits(ctx)
			}
			return tokens, err
		}})},
		{"waits for the token that it deletes", "unseen-delete", wrongMethods(wrong{deleteOne: func(ctx context.Context, s *reference, id string) error {
			if s.data.blind && id != "" {
				return waits(ctx)
			}
			return s.DeleteToken(ctx, id)
		}})},
		{"waits for all that it deletes", "unseen-delete-all", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			if s.data.blind {
				return waits(ctx)
			}
			return s.DeleteTokens(ctx)
		}})},
		{"waits for the token that it looks for", "unseen-find", wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			if s.data.blind {
				return token{}, waits(ctx)
			}
			return s.FindToken(ctx, q)
		}})},
		{"assumes that the deleted token is gone", "delete-ignored", wrongMethods(wrong{deleteOne: func(ctx context.Context, s *reference, id string) error {
			if err := s.DeleteToken(ctx, id); !errors.Is(err, tokenstore.ErrUnavailable) {
				return err
			}
			return nil
		}})},
		{"assumes that all tokens are gone", "delete-all-ignored", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			if err := s.DeleteTokens(ctx); !errors.Is(err, tokenstore.ErrUnavailable) {
				return err
			}
			return nil
		}})},
	}
}

// wrongBatches give a batch another result than single saves.
func wrongBatches() []wrongStore {
	many := func(f func(ctx context.Context, s *reference, tokens []token) ([]token, error)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{many: f})
	}
	// each saves one by one, and changes the result of each save.
	each := func(change func(s *reference, i int, all []token, saved token, err error) (token, error)) func(*data) tokenstore.Store {
		return many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			saved, faults := make([]token, len(tokens)), make([]error, len(tokens))
			for i, t := range tokens {
				one, err := s.SaveToken(ctx, t)
				saved[i], faults[i] = change(s, i, tokens, one, err)
			}
			return saved, errors.Join(faults...)
		})
	}
	return []wrongStore{
		{"returns the saved tokens in another order", "many", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			saved, err := s.SaveTokens(ctx, tokens)
			if len(saved) > 1 {
				saved[0], saved[1] = saved[1], saved[0]
			}
			return saved, err
		})},
		{"fails on an empty batch", "many-none", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			if len(tokens) == 0 {
				return nil, tokenstore.ErrInvalidArgument
			}
			return s.SaveTokens(ctx, tokens)
		})},
		{"saves a user once in a batch", "many-one-row", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			seen := map[string]bool{}
			var first []token
			for _, t := range tokens {
				if t.UserName == "" || !seen[t.UserName] {
					first = append(first, t)
				}
				seen[t.UserName] = true
			}
			return s.SaveTokens(ctx, first)
		})},
		{"does not adopt tokens of the same batch", "many-adoption", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			if len(tokens) > 1 && tokens[0].UserName == "" {
				tokens = append([]token{tokens[1], tokens[0]}, tokens[2:]...)
			}
			return s.SaveTokens(ctx, tokens)
		})},
		{"stops at the first fault", "many-invalid", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			saved := make([]token, len(tokens))
			for i, t := range tokens {
				var err error
				if saved[i], err = s.SaveToken(ctx, t); err != nil {
					saved[i] = token{}
					return saved, err
				}
			}
			return saved, nil
		})},
		{"hides a fault", "many-invalid", each(func(_ *reference, _ int, _ []token, saved token, err error) (token, error) {
			if err != nil {
				saved = token{}
			}
			return saved, nil
		})},
		{"checks each token before it saves any", "many-valid-later", many(func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			planned := map[int]error{}
			for i, t := range tokens {
				if _, err := s.FindToken(ctx, t); errors.Is(err, tokenstore.ErrNotFound) {
					planned[i] = tokenstore.CheckInsert(t)
				}
			}
			saved, faults := make([]token, len(tokens)), make([]error, len(tokens))
			for i, t := range tokens {
				if faults[i] = planned[i]; faults[i] == nil {
					saved[i], faults[i] = s.SaveToken(ctx, t)
				}
			}
			return saved, errors.Join(faults...)
		})},
		{"gives the ID of one of a batch to another", "many-derived-id", each(func(s *reference, i int, all []token, saved token, err error) (token, error) {
			if i > 0 && all[0].ID != "" && err == nil {
				s.data.mu.Lock()
				defer s.data.mu.Unlock()
				s.data.rows = without(s.data.rows, all[0].ID)
			}
			return saved, err
		})},
		{"loses the fifth token of a batch", "many-random", each(func(s *reference, i int, _ []token, saved token, err error) (token, error) {
			if i == 4 && err == nil {
				s.data.mu.Lock()
				defer s.data.mu.Unlock()
				s.data.rows = without(s.data.rows, saved.ID)
			}
			return saved, err
		})},
	}
}

// TestNewKindsAreToldApart shows that a wrong store of these kinds is caught by the case
// for its fault, and by no case for another kind.
func TestNewKindsAreToldApart(t *testing.T) {
	kinds := map[string][]string{}
	for _, c := range Cases() {
		switch {
		case matches("many*", c.Name):
			kinds["many"] = append(kinds["many"], c.Name)
		case matches("stream*", c.Name):
			kinds["stream"] = append(kinds["stream"], c.Name)
		case matches("unseen-*", c.Name):
			kinds["unseen"] = append(kinds["unseen"], c.Name)
		case matches("delete-*ignored", c.Name):
			kinds["ignored"] = append(kinds["ignored"], c.Name)
		case matches("damaged-*", c.Name), c.Name == "stranger", c.Name == "swapped", c.Name == "pasted", c.Name == "edited", c.Name == "put-back", c.Name == "expiry-by-hand":
			kinds["person"] = append(kinds["person"], c.Name)
		}
	}
	for kind, stores := range map[string][]wrongStore{"many": wrongBatches(), "waits": wrongWaits(), "person": wrongWithPersons()} {
		for _, w := range stores {
			for other, names := range kinds {
				if other == kind || kind == "waits" && (other == "unseen" || other == "ignored") {
					continue
				}
				for _, name := range names {
					if result := outcomeOf(t, name, w.open); result.Outcome != Passed {
						t.Errorf("%q is caught by %s, which tests something else: %s", w.name, name, result)
					}
				}
			}
		}
	}
}
