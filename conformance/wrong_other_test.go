package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenstore"
)

// wrongDeletes delete too much, too little, or fail.
func wrongDeletes() []wrongStore {
	one := func(f func(ctx context.Context, s *reference, id string) error) func(*data) tokenstore.Store {
		return wrongMethods(wrong{deleteOne: f})
	}
	deleteIf := func(matches func(row token, id string) bool) func(*data) tokenstore.Store {
		return one(func(ctx context.Context, s *reference, id string) error {
			if ctx.Err() != nil || id == "" {
				return s.DeleteToken(ctx, id)
			}
			_, err := locked(s, func(d *data) (bool, error) {
				d.rows = slices.DeleteFunc(d.rows, func(r token) bool { return matches(r, id) })
				return true, nil
			})
			return err
		})
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return -1
		}
		return n
	}
	return []wrongStore{
		{"fails to delete a missing token", "D02", one(func(ctx context.Context, s *reference, id string) error {
			if _, err := s.FindTokenByID(ctx, id); err != nil {
				return err
			}
			return s.DeleteToken(ctx, id)
		})},
		{"treats an empty ID as a missing one", "D07", one(func(ctx context.Context, s *reference, id string) error {
			return s.DeleteToken(ctx, cmp.Or(id, "none"))
		})},
		{"deletes everything for an empty ID", "D03", one(func(ctx context.Context, s *reference, id string) error {
			if id == "" {
				return cmp.Or(s.DeleteTokens(ctx), tokenstore.ErrInvalidArgument)
			}
			return s.DeleteToken(ctx, id)
		})},
		{"deletes by a condition", "D04", deleteIf(func(row token, id string) bool { return row.ID == id || strings.Contains(id, "1=1") })},
		{"deletes by number", "D05", deleteIf(func(row token, id string) bool {
			return row.ID == id || number(row.ID) >= 0 && number(row.ID) == number(id)
		})},
		{"deletes by pattern", "delete-pattern", deleteIf(func(row token, id string) bool { return row.ID == id || id == "%" })},
		{"deletes by a trimmed ID", "delete-space", deleteIf(func(row token, id string) bool { return row.ID == strings.TrimSpace(id) })},
		{"deletes the last part of a path", "delete-path", deleteIf(func(row token, id string) bool { return row.ID == id || row.ID == path.Base(id) })},
		{"deletes everything for the column name", "D08", deleteIf(func(row token, id string) bool { return row.ID == id || id == "id" })},
		{"deletes nothing", "D01", one(func(ctx context.Context, s *reference, id string) error {
			if id == "" {
				return s.DeleteToken(ctx, id)
			}
			return ctx.Err()
		})},
		{"refuses to reuse an ID", "delete-then-same-id", idsOnlyOnce()},
		{"brings back deleted fields", "delete-then-same-id", softDelete()},
		{"leaves one token", "D09", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			_, err := locked(s, func(d *data) (int, error) { d.rows = d.rows[max(0, len(d.rows)-1):]; return 0, ctx.Err() })
			return err
		}})},
		{"deletes the others' rows too", "foreign", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			s.data.foreign = nil
			return s.DeleteTokens(ctx)
		}})},
		{"lists the others' rows too", "foreign", wrongMethods(wrong{list: func(ctx context.Context, s *reference) ([]token, error) {
			tokens, err := s.GetTokens(ctx)
			return append(tokens, s.data.foreign...), err
		}})},
	}
}

// idsOnlyOnce refuses an ID that was deleted.
func idsOnlyOnce() func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		deleted := map[string]bool{}
		w.deleteOne = func(ctx context.Context, s *reference, id string) error {
			deleted[id] = true
			return s.DeleteToken(ctx, id)
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			if deleted[t.ID] {
				return token{}, tokenstore.ErrConflict
			}
			return s.SaveToken(ctx, t)
		}
	}})
}

// softDelete keeps deleted rows and mixes them into later saves.
func softDelete() func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		deleted := map[string]token{}
		w.deleteOne = func(ctx context.Context, s *reference, id string) error {
			if row, err := s.FindTokenByID(ctx, id); err == nil {
				deleted[id] = row
			}
			return s.DeleteToken(ctx, id)
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			if old, ok := deleted[t.ID]; ok {
				t = t.Fill(old)
			}
			return s.SaveToken(ctx, t)
		}
	}})
}

// wrongLists get lists and finds by ID wrong.
func wrongLists() []wrongStore {
	list := func(change func([]token) ([]token, error)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{list: func(ctx context.Context, s *reference) ([]token, error) {
			tokens, err := s.GetTokens(ctx)
			if err != nil {
				return nil, err
			}
			return change(tokens)
		}})
	}
	byID := func(f func(ctx context.Context, s *reference, id string) (token, error)) func(*data) tokenstore.Store {
		return wrongMethods(wrong{byID: f})
	}
	return []wrongStore{
		{"lists the newest first", "L02", list(func(all []token) ([]token, error) { slices.Reverse(all); return all, nil })},
		{"lists by ID as a string", "L03", list(func(all []token) ([]token, error) {
			slices.SortStableFunc(all, func(a, b token) int { return strings.Compare(a.ID, b.ID) })
			return all, nil
		})},
		{"lists by ID as a number", "list-order", list(func(all []token) ([]token, error) {
			slices.SortStableFunc(all, func(a, b token) int { return cmp.Compare(len(a.ID), len(b.ID))*2 + strings.Compare(a.ID, b.ID) })
			return all, nil
		})},
		{"moves saved tokens to the end", "L02", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			saved, err := s.SaveToken(ctx, t)
			if err == nil {
				s.data.rows = append(without(s.data.rows, saved.ID), saved)
			}
			return saved, err
		}})},
		{"gives a new token the place of a deleted one", "list-order-after-delete", oldPlaces()},
		{"fails to list an empty store", "L01", list(func(all []token) ([]token, error) {
			if len(all) == 0 {
				return nil, tokenstore.ErrNotFound
			}
			return all, nil
		})},
		{"lists a page only", "thousand", list(func(all []token) ([]token, error) { return all[:min(100, len(all))], nil })},
		{"lists its own memory", "isolation-list", wrongMethods(wrong{list: func(ctx context.Context, s *reference) ([]token, error) { return s.data.rows, ctx.Err() }})},
		{"does not list expired tokens", "expired", list(func(all []token) ([]token, error) {
			return slices.DeleteFunc(all, func(t token) bool { return !t.Expiry.IsZero() && t.Expiry.Year() < 2020 }), nil
		})},
		{"returns nothing and no error for a missing ID", "I02", byID(func(ctx context.Context, s *reference, id string) (token, error) {
			found, err := s.FindTokenByID(ctx, id)
			if errors.Is(err, tokenstore.ErrNotFound) {
				return token{}, nil
			}
			return found, err
		})},
		{"treats an empty ID as a missing one in a find", "I06", byID(func(ctx context.Context, s *reference, id string) (token, error) {
			return s.FindTokenByID(ctx, cmp.Or(id, "none"))
		})},
		{"finds by part of a statement", "I04", byID(func(ctx context.Context, s *reference, id string) (token, error) {
			if strings.Contains(id, "'1'='1") {
				id = s.data.rows[0].ID
			}
			return s.FindTokenByID(ctx, id)
		})},
		{"returns the file's header as a token", "I05", byID(func(ctx context.Context, s *reference, id string) (token, error) {
			if id == "id" {
				return token{ID: "id", UserName: "user_name"}, nil
			}
			return s.FindTokenByID(ctx, id)
		})},
		{"folds the case of IDs", "id-case", wrongIDs(strings.ToLower)},
		{"uses the last part of an ID", "id-words", wrongIDs(path.Base)},
		{"cuts IDs", "id-long-pair", wrongIDs(func(id string) string { return id[:min(128, len(id))] })},
		{"replaces characters of IDs that a name may not contain", "id-words", wrongIDs(strings.NewReplacer("/", "_", ":", "_", ".", "_").Replace)},
		{"looks for IDs among the users too", "by-id-is-no-user", byID(func(ctx context.Context, s *reference, id string) (token, error) {
			if row, ok, _ := s.data.ByKey(tokenstore.Key{Kind: tokenstore.UserKey, Value: id}, false); ok {
				return row, nil
			}
			return s.FindTokenByID(ctx, id)
		})},
	}
}

// wrongIDs changes IDs before they are used.
func wrongIDs(change func(string) string) func(*data) tokenstore.Store {
	return wrongMethods(wrong{
		save: func(ctx context.Context, s *reference, t token) (token, error) {
			given := t.ID
			if given != "" {
				t.ID = change(given)
			}
			saved, err := s.SaveToken(ctx, t)
			if given != "" && err == nil {
				saved.ID = given
			}
			return saved, err
		},
		byID: func(ctx context.Context, s *reference, id string) (token, error) {
			found, err := s.FindTokenByID(ctx, change(id))
			found.ID = id
			return found, err
		},
		deleteOne: func(ctx context.Context, s *reference, id string) error { return s.DeleteToken(ctx, change(id)) },
	})
}

// oldPlaces puts a new row in the place of a deleted one.
func oldPlaces() func(*data) tokenstore.Store {
	return wrongMethods(wrong{changeWith: func(w *wrong) {
		free := -1
		w.deleteOne = func(ctx context.Context, s *reference, id string) error {
			free = slices.IndexFunc(s.data.rows, func(r token) bool { return r.ID == id })
			return s.DeleteToken(ctx, id)
		}
		w.save = func(ctx context.Context, s *reference, t token) (token, error) {
			before := len(s.data.rows)
			saved, err := s.SaveToken(ctx, t)
			if err == nil && free >= 0 && len(s.data.rows) > before {
				s.data.rows = slices.Insert(without(s.data.rows, saved.ID), free, saved)
			}
			return saved, err
		}
	}})
}

func without(rows []token, id string) []token {
	return slices.DeleteFunc(slices.Clone(rows), func(r token) bool { return r.ID == id })
}

// wrongErrors return errors of the wrong kind, or with too much in them.
func wrongErrors() []wrongStore {
	find := func(change func(q token, err error) error) func(*data) tokenstore.Store {
		return wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			found, err := s.FindToken(ctx, q)
			if errors.Is(err, tokenstore.ErrNotFound) {
				err = change(q, err)
			}
			return found, err
		}})
	}
	save := func(change func(t token, err error) error) func(*data) tokenstore.Store {
		return wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			saved, err := s.SaveToken(ctx, t)
			if errors.Is(err, tokenstore.ErrInvalidToken) {
				err = change(t, err)
			}
			return saved, err
		}})
	}
	return []wrongStore{
		{"reports not found as a fault", "F03", find(func(token, error) error { return tokenstore.ErrUnavailable })},
		{"returns nothing and no error if nothing is found", "F03", find(func(token, error) error { return nil })},
		{"reports not found as retryable", "errors-kinds", find(func(_ token, err error) error { return errors.Join(err, tokenstore.ErrUnavailable) })},
		{"writes a credential into an error", "errors-kinds", find(func(q token, err error) error { return fmt.Errorf("%w: refresh token %s", err, q.RefreshToken) })},
		{"writes a credential, quoted, into an error", "errors-kinds", find(func(q token, err error) error { return fmt.Errorf("%w: access token %q", err, q.AccessToken) })},
		{"hides a credential in the cause of an error", "errors-kinds", find(func(q token, err error) error { return &hiding{err, errors.New(q.ClientSecret)} })},
		{"keeps a credential in a field of an error", "errors-kinds", find(func(q token, err error) error { return &keeping{err, q.RefreshToken} })},
		{"writes a client secret into the refusal of a token", "S17", save(func(t token, err error) error { return fmt.Errorf("%w: %s", err, t.ClientSecret) })},
		{"reports a refusal as a fault", "S16", save(func(token, error) error { return tokenstore.ErrUnavailable })},
		{"returns an error without a sentinel", "S17", save(func(token, error) error { return errors.New("no") })},
		{"panics", "S18", save(func(token, error) error { panic("no token") })},
		{"fails on an empty store", "F33", wrongMethods(wrong{find: func(ctx context.Context, s *reference, q token) (token, error) {
			if len(s.data.rows) == 0 {
				return token{}, tokenstore.ErrUnreadable
			}
			return s.FindToken(ctx, q)
		}})},
	}
}

// hiding is an error with a neutral text that wraps two errors.
type hiding struct{ kind, cause error }

func (e *hiding) Error() string   { return "hidden" }
func (e *hiding) Unwrap() []error { return []error{e.kind, e.cause} }

// keeping is an error with a neutral text and a field.
type keeping struct {
	kind error
	What string
}

func (e *keeping) Error() string { return "kept" }
func (e *keeping) Unwrap() error { return e.kind }
