package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"example.com/tokenstore"
)

// wrongContexts do not honour their context.
func wrongContexts() []wrongStore {
	background := context.Background()
	return []wrongStore{
		{"finds after the end of its context", "context-cancelled-find", wrongMethods(wrong{find: func(_ context.Context, s *reference, q token) (token, error) { return s.FindToken(background, q) }})},
		{"finds by ID after the end of its context", "context-cancelled-find-by-id", wrongMethods(wrong{byID: func(_ context.Context, s *reference, id string) (token, error) {
			return s.FindTokenByID(background, id)
		}})},
		{"saves after the end of its context", "context-cancelled-update", wrongMethods(wrong{save: func(_ context.Context, s *reference, t token) (token, error) { return s.SaveToken(background, t) }})},
		{"lists after the end of its context", "context-expired-list", wrongMethods(wrong{list: func(_ context.Context, s *reference) ([]token, error) { return s.GetTokens(background) }})},
		{"deletes after the end of its context", "context-cancelled-delete", wrongMethods(wrong{deleteOne: func(_ context.Context, s *reference, id string) error { return s.DeleteToken(background, id) }})},
		{"deletes all after the end of its context", "context-expired-delete-all", wrongMethods(wrong{deleteAll: func(_ context.Context, s *reference) error { return s.DeleteTokens(background) }})},
		{"saves, and then looks at its context", "context-cancelled-insert", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			saved, err := s.SaveToken(background, t)
			return saved, errors.Join(err, ctx.Err())
		}})},
		{"deletes all, and then looks at its context", "context-cancelled-delete-all", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			return errors.Join(s.DeleteTokens(background), ctx.Err())
		}})},
		{"panics on a cancelled context", "context-cancelled-find", wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			if ctx.Err() != nil {
				panic(ctx.Err())
			}
			return s.FindToken(ctx, q)
		}})},
		{"hides the context's error", "context-expired-find", wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			if ctx.Err() != nil {
				return token{}, fmt.Errorf("%w: %v", tokenstore.ErrUnavailable, ctx.Err()) //nolint:errorlint // The mistake.
			}
			return s.FindToken(ctx, q)
		}})},
		{"takes an expired context for a missing token", "context-expired-find-by-id", wrongMethods(wrong{byID: func(ctx context.Context, s *reference, id string) (token, error) {
			found, err := s.FindTokenByID(ctx, id)
			if err != nil && id != "" {
				err = tokenstore.ErrNotFound
			}
			return found, err
		}})},
		{"writes field by field while its context lasts", "context-cancelled-midway", halfWritten()},
	}
}

// halfWritten writes a token's fields one after the other and stops when its
// context ends.
func halfWritten() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (saved token, err error) {
		if t.ID == "" {
			return s.SaveToken(ctx, t)
		}
		for _, f := range slices.Backward(texts) {
			if part := (token{ID: t.ID}); *f.of(&t) != "" {
				*f.of(&part) = *f.of(&t)
				if _, err := s.FindTokenByID(ctx, t.ID); err != nil {
					return s.SaveToken(ctx, t)
				}
				wait(20_000)
				if saved, err = s.SaveToken(ctx, part); err != nil {
					return saved, err
				}
			}
		}
		return s.SaveToken(ctx, t)
	}})
}

// wrongHandles do not see the changes of other handles, or lose them.
func wrongHandles() []wrongStore {
	return []wrongStore{
		{"remembers the tokens that it has found", "handles-save", remembering()},
		{"remembers the tokens that it has deleted", "handles-delete", wrongMethods(wrong{changeWith: func(w *wrong) {
			known := map[string]token{}
			w.byID = func(ctx context.Context, s *reference, id string) (token, error) {
				if t, ok := known[id]; ok && ctx.Err() == nil {
					return t, nil
				}
				found, err := s.FindTokenByID(ctx, id)
				if err == nil {
					known[id] = found
				}
				return found, err
			}
		}})},
		{"fills saves from remembered tokens", "handles-last-field", savingOver()},
		{"is empty when it is opened again", "O02", func(d *data) tokenstore.Store {
			d.rows = nil
			return &reference{data: d}
		}},
		{"counts IDs for itself", "O02", func(d *data) tokenstore.Store {
			r := rightRules()
			n := 0
			r.newID = func(*data) (string, error) { n++; return fmt.Sprint(n), nil }
			return ruled{&reference{data: d}, r}
		}},
		{"has a store for each handle", "O01", func(*data) tokenstore.Store { return newReference() }},
	}
}

// remembering remembers the result of each query.
func remembering() func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		var mu sync.Mutex
		known := map[token]token{}
		w.find = func(ctx context.Context, s *reference, q token) (token, error) {
			mu.Lock()
			defer mu.Unlock()
			if t, ok := known[q]; ok && ctx.Err() == nil {
				return t, nil
			}
			found, err := s.FindToken(ctx, q)
			if err == nil {
				known[q] = found
			}
			return found, err
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			mu.Lock()
			defer mu.Unlock()
			clear(known)
			return s.SaveToken(ctx, t)
		}
	}})
}

// savingOver fills the tokens that it saves from tokens that it has found before.
func savingOver() func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		known := map[string]token{}
		w.find = func(ctx context.Context, s *reference, q token) (token, error) {
			found, err := s.FindToken(ctx, q)
			if err == nil {
				known[found.UserName] = found
			}
			return found, err
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			if old, ok := known[t.UserName]; ok && t.UserName != "" {
				t = t.Fill(old)
			}
			return s.SaveToken(ctx, t)
		}
	}})
}

// wrongConcurrency get concurrent calls wrong.
func wrongConcurrency() []wrongStore {
	return []wrongStore{
		{"loses updates", "concurrent-one-token", racing(false)},
		{"mixes the expiries of two saves", "concurrent-expiry", expiryApart()},
		{"makes twins of a new user", "concurrent-new-user", racing(true)},
		{"makes twins of a refresh token", "concurrent-ownerless", racing(true)},
		{"makes twins where it should adopt", "concurrent-adoption", racing(true)},
		{"inserts one ID twice", "concurrent-given-id", racing(true)},
		{"gives two concurrent inserts the same ID", "concurrent-users", sameIDs()},
		{"loses one of two users", "S40", losesInserts()},
		{"hides a token while it is saved", "concurrent-find", vanishing()},
		{"hides a token from a list while it is saved", "concurrent-list", vanishing()},
		{"brings a deleted token back in part", "concurrent-delete", revived()},
	}
}

// racing looks for the row under one lock and writes it under another. With inserts set,
// only inserts race.
func racing(inserts bool) func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		row, err := s.FindToken(ctx, t)
		if ctx.Err() != nil || t.Validate() != nil {
			return s.SaveToken(ctx, t)
		}
		if missing := errors.Is(err, tokenstore.ErrNotFound); missing != inserts {
			return s.SaveToken(ctx, t)
		}
		wait(50_000)
		return locked(s, func(d *data) (token, error) {
			if !inserts {
				updated := tokenstore.Update(row, t)
				return updated, d.Update(updated)
			}
			if t.ID == "" {
				t.ID, _ = d.NewID()
			}
			t = t.Normal()
			return t, d.Insert(t)
		})
	}})
}

// expiryApart writes the expiry after the access token.
func expiryApart() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		saved, err := s.SaveToken(ctx, edited(t, func(t *token) { t.Expiry = token{}.Expiry }))
		if err != nil || t.Expiry.IsZero() {
			return saved, err
		}
		wait(50_000)
		return s.SaveToken(ctx, token{ID: saved.ID, Expiry: t.Expiry})
	}})
}

// sameIDs counts the rows before it inserts.
func sameIDs() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		n, _ := locked(s, func(d *data) (int, error) { return len(d.rows), nil })
		wait(50_000)
		if _, err := s.FindToken(ctx, t); errors.Is(err, tokenstore.ErrNotFound) && t.ID == "" {
			t.ID = fmt.Sprint("n", n)
		}
		return locked(s, func(d *data) (token, error) { return t, d.Insert(t) })
	}})
}

// losesInserts rewrites all rows as it read them some time ago.
func losesInserts() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		private := newReference()
		_, _ = locked(s, func(d *data) (int, error) {
			d.last++
			private.data.rows, private.data.last = slices.Clone(d.rows), d.last*100
			return 0, nil
		})
		saved, err := private.SaveToken(ctx, t)
		wait(200_000)
		return locked(s, func(d *data) (token, error) {
			d.rows = private.data.rows
			return saved, err
		})
	}})
}

// vanishing deletes a row before it writes it again.
func vanishing() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		row, ok, _ := lockedRow(s, t.ID)
		if !ok {
			return s.SaveToken(ctx, t)
		}
		_ = s.DeleteToken(ctx, t.ID)
		wait(50_000)
		return locked(s, func(d *data) (token, error) {
			updated := tokenstore.Update(row, t)
			d.rows = slices.Insert(without(d.rows, t.ID), 0, updated)
			return updated, nil
		})
	}})
}

func lockedRow(s *reference, id string) (token, bool, error) {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return s.data.ByID(id)
}

// revived updates a row that may be gone by then, with the changed fields only.
func revived() func(*data) tokenstore.Store {
	return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
		row, err := s.FindToken(ctx, t)
		if err != nil {
			return s.SaveToken(ctx, t)
		}
		wait(100_000)
		return locked(s, func(d *data) (token, error) {
			if _, ok, _ := d.ByID(row.ID); !ok {
				part := token{ID: row.ID, UserName: t.UserName, AccessToken: t.AccessToken}
				d.rows = append(d.rows, part)
				return part, nil
			}
			updated := tokenstore.Update(row, t)
			return updated, d.Update(updated)
		})
	}})
}
